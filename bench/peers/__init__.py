"""What pkiplan is compared with: the bare work, as short as it can be said, each file a program of its own."""
