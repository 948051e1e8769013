"""The routines that drivers may call, declared by module."""
