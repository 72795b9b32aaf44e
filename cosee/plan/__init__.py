"""What a configuration asks for: runs, searches, jobs, curves, captions, cost."""
