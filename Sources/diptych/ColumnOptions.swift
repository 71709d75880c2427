import ArgumentParser
import DiptychData

/// A dataset's own names, as `data.columns` of a configuration gives them.
struct ColumnOptions: ParsableArguments {
    @Option(
        name: .long,
        help: .init("The dataset's own name of a key or picture, such as source=src_img.", valueName: "name=column"))
    var column: [String] = []

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
