import ArgumentParser
import DiptychData
import TensorIO

/// How a dataset is read: its own names, as `data.columns` of a configuration gives them, what is allowed in it and what it
/// is for.
struct DatasetOptions: ParsableArguments {
    @Option(
        name: .long,
        help: .init("The dataset's own name of a key or picture, such as source=src_img.", valueName: "name=column"))
    var column: [String] = []

    @Flag(
        name: .long,
        help: "The dataset is for evaluation: targets may be absent, and MagicBrush's test folder is read as it comes.")
    var evaluation = false

    @Option(
        name: .long,
        help: "What transparent parts of pictures are laid over: \(ImageBackground.expected); white if not said.")
    var background: ImageBackground?

    @Flag(name: .long, help: "The list may name pictures that lie outside the dataset's folder.")
    var allowOutside = false

    @Flag(name: .long, help: "Targets may have other proportions than their sources.")
    var allowMismatch = false

    func validate() throws {
        for entry in column {
            guard let fault = PairReading.fault(ofColumn: entry) else { continue }
            throw ValidationError("--column: expected \(fault.expected), found \(fault.found)")
        }
    }

    var reading: PairReading { applied(to: PairReading()) }

    /// The choices of a run, and what the command line says beside them.
    func applied(to reading: PairReading) -> PairReading {
        var reading = reading
        for entry in column {
            guard let (name, column) = PairReading.column(entry) else { continue }
            reading.columns[name] = column
        }
        if let background { reading.background = background }
        reading.allowsOutside = reading.allowsOutside || allowOutside
        reading.allowsMismatch = reading.allowsMismatch || allowMismatch
        return reading
    }
}
