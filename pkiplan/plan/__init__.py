"""The decision: checks, diff, order, guards, plan. Values in, values out."""
