"""The REST API of the engine, and what every API view of the product is built from."""
