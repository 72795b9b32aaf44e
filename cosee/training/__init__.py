"""The training loop of all methods: settings, schedule, optimizer, objective, history, resumption."""
