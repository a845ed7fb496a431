"""Plays the hospital, the clinic's EHR and the reviewer for `consilium demo`; its face is `program.run_demo`."""
