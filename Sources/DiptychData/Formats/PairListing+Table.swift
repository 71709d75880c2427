import Foundation
import TensorIO

extension PairListing {
    /// Reads a list that is a table: a header with the keys of a list, and a pair a row. A field that is empty is a key that
    /// is not there; `instructions` holds a list in JSON.
    mutating func readTable(_ text: TextFile) {
        let table: CSVTable
        do throws(FileError) {
            table = try CSVTable(text.text, path: path, key: reading.name(of: "source"))
            try checkColumns(table.header)
        } catch {
            faults.append(error)
            return
        }
        faults += table.faults
        for row in table.rows {
            var object: [String: JSONValue] = [:]
            for (name, field) in zip(table.header, row.fields) where !name.isEmpty {
                let isRequired = purpose.requiredKeys.contains { reading.name(of: $0) == name }
                if field.isEmpty, !isRequired { continue }
                object[name] =
                    name == reading.name(of: "instructions") ? Self.list(in: field) ?? .string(field) : .string(field)
            }
            add(object, place: "line \(row.line)", name: "\(row.line)")
        }
    }

    /// Refuses a header without a column that every pair needs, once and not for each row.
    private func checkColumns(_ header: [String]) throws(FileError) {
        let named = header.filter { !$0.isEmpty }
        for key in PairRecord.requiredKeys {
            let column = reading.name(of: key)
            if named.contains(column) || key == "instruction" && named.contains(reading.name(of: "instructions")) {
                continue
            }
            if key == "target", purpose == .evaluation { continue }
            let isForEvaluation =
                key == "target" && named.contains(reading.name(of: "source"))
                && nearestName(to: column, among: named) == nil
            throw FileError(
                path, key: "line 1", expected: "a column '\(column)'",
                found: named.joined(separator: ", ")
                    + (isForEvaluation ? ": for evaluation only (diptych data check --evaluation reads it)" : ""),
                nearest: nearestName(to: column, among: named))
        }
    }

    /// The texts of a JSON list; nil for other text.
    private static func list(in field: String) -> JSONValue? {
        guard let value = try? JSONValue(parsing: field), value.elements != nil else { return nil }
        return value
    }
}
