"""The query log: who asked what, what was found, what was answered; append-only, and checkable by a stranger."""
