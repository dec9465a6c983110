"""The history of cells as git records it: versions, promotions, and the trailers that link them."""
