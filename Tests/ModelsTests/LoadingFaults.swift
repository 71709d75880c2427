import Foundation
import NeuralNet
import TensorCore
import TensorIO
import TestSupport
import Testing

/// Copies a model's folder with its configuration and tensors changed, for the time that `body` runs.
func withChangedModel(
    _ source: String, configuration: (inout [String: JSONValue]) throws -> Void = { _ in },
    tensors: (inout [String: Tensor]) -> Void = { _ in }, _ body: (String) throws -> Void
) throws {
    let folder = try Fixtures.scratchFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let text = try Data(contentsOf: URL(filePath: source + "/config.json"))
    var fields = try #require(try JSONValue(parsing: [UInt8](text)).fields)
    try configuration(&fields)
    try Data(JSONValue(fields: fields).bytes()).write(to: folder.appending(path: "config.json"))
    let archive = try openTensorArchive(source)
    var values: [String: Tensor] = [:]
    for name in archive.names { values[name] = try archive.tensor(name) }
    tensors(&values)
    try SafetensorsFile.write(
        values.sorted { $0.key < $1.key }.map { ($0.key, $0.value) },
        to: folder.appending(path: "model.safetensors").path)
    try body(folder.path)
}

/// A change of one field of a configuration, and what the error about it must say.
struct ConfigurationFault: Sendable, CustomStringConvertible {
    let key: String
    /// JSON; nil takes the field away.
    let value: String?
    let expected: String

    init(_ key: String, _ value: String?, _ expected: String) {
        self.key = key
        self.value = value
        self.expected = expected
    }

    var description: String { "\(key) \(value ?? "missing")" }

    /// Loads the model at `source` with this change: one error names the file, the key and what was expected.
    func expectError(from source: String, load: (String) throws -> Void) throws {
        try withChangedModel(
            source, configuration: { $0[key] = try value.map { try JSONValue(parsing: $0) } }
        ) { folder in
            let error = #expect(throws: FileError.self) { try load(folder) }
            #expect(error?.path == folder + "/config.json" && error?.key == key)
            #expect(error.map { "\($0)".contains(expected) } == true, "\(error?.description ?? "")")
            #expect(error?.found.isEmpty == false)
        }
    }
}

/// Loads the model at `source` with one tensor under another name and one of another shape: one error, of one line, names
/// every fault.
func expectEveryTensorFault(
    from source: String, gone: String, extra: String, bent: (key: String, expected: Shape, found: Shape),
    load: (String) throws -> Void
) throws {
    try withChangedModel(
        source,
        tensors: {
            $0[extra] = $0.removeValue(forKey: gone)
            $0[bent.key] = Tensor(zeros: bent.found)
        }
    ) { folder in
        let error = #expect(throws: WeightError.self) { try load(folder) }
        #expect(error?.missing == [gone] && error?.unexpected == [extra])
        #expect(error?.misshapen == [.init(key: bent.key, expected: bent.expected, found: bent.found)])
        let line = error?.description ?? ""
        #expect(!line.contains("\n"))
        for part in [folder, gone, extra, bent.key, "\(bent.expected)", "\(bent.found)"] {
            #expect(line.contains(part), "\(line)")
        }
    }
}
