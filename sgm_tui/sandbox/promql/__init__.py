"""A PromQL engine: parser, compiler and functions."""
