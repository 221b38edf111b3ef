"""The appliance in workflows of llama-index, and models of llama-index in the appliance."""
