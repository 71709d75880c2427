import Foundation

/// The path of a file in a folder.
func filePath(_ folder: String, _ name: String) -> String {
    folder.hasSuffix("/") ? folder + name : "\(folder)/\(name)"
}

/// Whether a file is there.
func fileExists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }
