"""What a PKI is: names, keys, extensions, validity, resources, and what was observed of them.

Values only. Nothing here touches a disk, a clock, a network or a cryptographic library.
"""
