"""Every option: its name, its values, its help, and what it is checked for."""
