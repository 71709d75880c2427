import Foundation
import TensorCore
import TensorIO
import TestSupport

/// Copies a model's folder with its configuration and tensors changed, for the time that `body` runs.
func withChangedModel(
    _ source: String, configuration: (inout [String: Any]) -> Void = { _ in },
    tensors: (inout [String: Tensor]) -> Void = { _ in }, _ body: (String) throws -> Void
) throws {
    let folder = try Fixtures.scratchFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let text = try Data(contentsOf: URL(filePath: source + "/config.json"))
    var json = try JSONSerialization.jsonObject(with: text) as? [String: Any] ?? [:]
    configuration(&json)
    try JSONSerialization.data(withJSONObject: json).write(to: folder.appending(path: "config.json"))
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

    /// Makes the change.
    func apply(to json: inout [String: Any]) throws {
        json[key] = try value.map {
            try JSONSerialization.jsonObject(with: Data($0.utf8), options: .fragmentsAllowed)
        }
    }
}
