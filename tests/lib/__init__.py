"""What the system tests and the bench stand on: servers of their own on loopback, the program, and waiting."""
