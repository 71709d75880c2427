import ArgumentParser
import Training

/// The flags that change a configuration for one run.
struct OverrideOptions: ParsableArguments {
    @Option(
        name: .long,
        help: .init(
            "Override a key of the configuration; 'diptych config' lists the keys. May be given several times.",
            valueName: "key=value"),
        completion: .list(RunConfiguration.keys.map { $0 + "=" }))
    var set: [String] = []

    @Option(name: .long, help: "Threads, 0 for one a processor; the same as --set training.threads=N.")
    var threads: Int?

    /// `key=value` for every key that is overridden.
    var all: [String] { self.set + (threads.map { ["training.threads=\($0)"] } ?? []) }
}
