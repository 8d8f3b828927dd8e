"""Long runs that look for failures; each module is a command."""
