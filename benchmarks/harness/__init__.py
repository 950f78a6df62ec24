"""The parts of the benchmarks: what is measured, the generator, the servers, the report."""
