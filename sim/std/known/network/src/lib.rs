//! Programs of a server and a client: see `tests`.
