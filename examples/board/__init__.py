"""A board of cards for several people: FastAPI, fastsio and SQLAlchemy behind a page in React."""
