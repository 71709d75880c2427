import ArgumentParser
import DiptychData

/// How a dataset is read: its own names, as `data.columns` of a configuration gives them, and what it is for.
struct DatasetOptions: ParsableArguments {
    @Option(
        name: .long,
        help: .init("The dataset's own name of a key or picture, such as source=src_img.", valueName: "name=column"))
    var column: [String] = []

    @Flag(
        name: .long,
        help: "The dataset is for evaluation: targets may be absent, and MagicBrush's test folder is read as it comes.")
    var evaluation = false

    func validate() throws {
        for entry in column {
            guard let fault = PairReading.fault(ofColumn: entry) else { continue }
            throw ValidationError("--column: expected \(fault.expected), found \(fault.found)")
        }
    }

    var reading: PairReading {
        var reading = PairReading()
        for entry in column {
            guard let (name, column) = PairReading.column(entry) else { continue }
            reading.columns[name] = column
        }
        return reading
    }
}
