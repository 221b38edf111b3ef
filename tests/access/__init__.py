"""Access as a property that is proven: who may not see a thing observes nothing of it."""
