"""The adapter to `cryptography`: keys, names, extensions, parsing, lint, issuing, chains.

Knows values of the model and nothing of plans or disks.
"""
