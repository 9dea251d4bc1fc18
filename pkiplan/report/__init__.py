"""Plans, results and diagnostics as text for people and as JSON for programs. Pure: values in, text out."""
