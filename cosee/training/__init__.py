"""The one training loop: settings, schedule, optimizer, objective, and resuming."""
