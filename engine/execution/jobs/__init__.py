"""Jobs of ops: their steps, what these give one another, and how a run of them is begun, told and gone on with."""
