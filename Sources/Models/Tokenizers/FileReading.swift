import Foundation
import TensorIO

/// The bytes of a file of a tokenizer folder.
func readFile(_ path: String) throws -> [UInt8] {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
        throw FileError(path, expected: "a file", found: "none")
    }
    guard !isFolder.boolValue, let data = FileManager.default.contents(atPath: path) else {
        throw FileError(
            path, expected: "a readable file", found: isFolder.boolValue ? "a folder" : "one that cannot be read")
    }
    if let content = data.withUnsafeBytes(FileContent.notFetched) {
        throw FileError(path, expected: "a tokenizer's file", found: content)
    }
    return [UInt8](data)
}

/// The path of a file in a folder.
func filePath(_ folder: String, _ name: String) -> String {
    folder.hasSuffix("/") ? folder + name : "\(folder)/\(name)"
}

/// Whether a file is there.
func fileExists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

/// A text of a file as an error shows it: control characters escaped, no longer than a line bears.
func abbreviated(_ text: String) -> String {
    var shown = ""
    for scalar in text.unicodeScalars.prefix(40) {
        if scalar.properties.generalCategory == .control {
            shown += "\\u{\(String(scalar.value, radix: 16))}"
        } else {
            shown.unicodeScalars.append(scalar)
        }
    }
    return shown.unicodeScalars.count < text.unicodeScalars.count && text.unicodeScalars.count > 40
        ? shown + "…" : shown
}
