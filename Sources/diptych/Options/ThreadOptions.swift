import ArgumentParser
import TensorCore

/// The flag for the number of threads.
struct ThreadOptions: ParsableArguments {
    @Option(name: .long, parsing: .unconditional, help: "Threads; 0 for one a processor.")
    var threads = 0

    func validate() throws {
        if threads < 0 { throw ValidationError("--threads: expected 0 or more, found \(threads)") }
    }

    /// Puts it into force for the whole process.
    func apply() { Threads.set(threads) }
}
