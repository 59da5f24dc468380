"""The way from sensor to worker: messages and the bounded log. It never looks inside a record."""
