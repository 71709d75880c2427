import ArgumentParser

/// Measures parts of the toolkit: `diptych-bench step --config nano --lora moe`.
///
/// Every step measured is one line of JSON, `diptych-bench products` prints a table. Times are medians of repeated runs in
/// one process; this machine and that are different machines, so quote ratios of runs that took turns.
@main
struct DiptychBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diptych-bench", abstract: "Measures parts of Diptych.",
        subcommands: [
            StepBenchmark.self, ProductBenchmark.self, KernelBenchmark.self, EncoderBenchmark.self,
            LoaderBenchmark.self,
        ])
}
