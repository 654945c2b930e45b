"""The automatic methods. Each module has a class `Options` and a function ``run(inputs, options, monitor)``."""
