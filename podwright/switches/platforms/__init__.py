"""Drivers, a module each: its name is the platform's, its class `Driver` is the driver."""
