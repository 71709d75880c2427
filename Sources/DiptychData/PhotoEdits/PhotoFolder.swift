package import Foundation
import Synchronization
import TensorCore
package import TensorIO

/// The photographs of a folder, by name. As many as fit into a budget of memory stay decoded.
package struct PhotoFolder: Sendable {
    /// The folder.
    package let folder: URL
    /// Their paths.
    package let paths: [String]
    private let kept: [Image?]

    /// Reads every `.png`, `.jpg`, `.jpeg` and `.webp` file of the folder; subfolders, hidden and other files are passed over.
    ///
    /// `check` says what is wrong with a photograph of that size, if anything. Throws ``DatasetError`` with all files
    /// that cannot be read or used, and `FileError` when there are none.
    package init(path: String, budget: Int = 1 << 30, check: (Image) -> (expected: String, found: String)?) throws {
        var isFolder: ObjCBool = false
        let exists = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
        guard exists, isFolder.boolValue else {
            throw FileError(path, expected: "a folder of photographs", found: exists ? "a file" : "no such folder")
        }
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: path)
        } catch {
            throw FileError(path, expected: "a folder of photographs", found: "an unreadable folder")
        }
        folder = URL(filePath: path, directoryHint: .isDirectory)
        // By bytes, so that the order does not depend on the locale.
        paths = names.filter { !$0.hasPrefix(".") && StoredImageFormat.hasSuffix($0) }
            .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }.map {
                (path.hasSuffix("/") ? path : path + "/") + $0
            }
        guard !paths.isEmpty else {
            throw FileError(path, expected: "at least one .png, .jpg, .jpeg or .webp file", found: "none")
        }
        struct Progress {
            var images: [Image?]
            var faults: [Int: FileError] = [:]
            var bytes = 0
        }
        let paths = paths
        let state = Mutex(Progress(images: Array(repeating: nil, count: paths.count)))
        parallelFor(paths.count, grain: 1) { range in
            for i in range {
                do {
                    let image = try Image(contentsOf: paths[i])
                    let fault = check(image)
                    state.withLock { state in
                        if let fault {
                            state.faults[i] = FileError(paths[i], expected: fault.expected, found: fault.found)
                        } else if state.bytes + image.pixels.count <= budget {
                            state.bytes += image.pixels.count
                            state.images[i] = image
                        }
                    }
                } catch {
                    let fault =
                        error as? FileError
                        ?? FileError(paths[i], expected: "a readable photograph", found: "\(error)")
                    state.withLock { $0.faults[i] = fault }
                }
            }
        }
        let (images, faults) = state.withLock { ($0.images, $0.faults) }
        if !faults.isEmpty { throw DatasetError(faults: faults.sorted { $0.key < $1.key }.map(\.value)) }
        kept = images
    }

    /// What tells the photographs, their names and bytes, from others. Throws `FileError` when one has become unreadable.
    package func fingerprint() throws(FileError) -> String {
        var result = Fingerprint()
        for path in paths {
            result.add((path as NSString).lastPathComponent)
            try result.add(file: path)
        }
        return result.description
    }

    /// The number of photographs, at least 1.
    package var count: Int { paths.count }

    /// The photograph number `index`, read again unless it was kept. Throws when it has become unreadable.
    package func photo(_ index: Int) throws -> Image { try kept[index] ?? Image(contentsOf: paths[index]) }
}
