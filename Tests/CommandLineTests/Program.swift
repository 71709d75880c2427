import Foundation

/// The built executable, run as a user runs it.
enum Program {
    struct Result {
        var status: Int32
        var output: String
        var error: String
    }

    /// The file `diptych` of the same build as these tests: beside the test bundle, or in a folder above it.
    static let path: String? = {
        var places = [Bundle.main.bundleURL, Bundle.main.executableURL].compactMap { $0 }
        places += CommandLine.arguments.map { URL(filePath: $0) }
        for var place in places {
            for _ in 0..<4 {
                let candidate = place.appending(path: "diptych").path
                var isFolder: ObjCBool = false
                if FileManager.default.fileExists(atPath: candidate, isDirectory: &isFolder), !isFolder.boolValue,
                    FileManager.default.isExecutableFile(atPath: candidate)
                {
                    return candidate
                }
                place = place.deletingLastPathComponent()
            }
        }
        return nil
    }()

    struct NotBuilt: Error, CustomStringConvertible {
        var description: String { "no executable 'diptych' near \(Bundle.main.bundlePath)" }
    }

    /// Runs it with `environment` besides that of the tests, by way of another program's command line where `launcher` is
    /// one.
    static func run(
        _ arguments: [String], environment: [String: String] = [:], launcher: [String] = []
    ) throws -> Result {
        guard let path else { throw NotBuilt() }
        let process = Process()
        let words = launcher + [path] + arguments
        process.executableURL = URL(filePath: words[0])
        process.arguments = Array(words.dropFirst())
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        let folder = FileManager.default.temporaryDirectory.appending(path: "diptych-program-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        // Files, unlike pipes, cannot fill up while nobody reads.
        let streams = try ["output", "error"].map { name in
            let file = folder.appending(path: name)
            try Data().write(to: file)
            return (file, try FileHandle(forWritingTo: file))
        }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = streams[0].1
        process.standardError = streams[1].1
        try process.run()
        process.waitUntilExit()
        let texts = try streams.map { try String(contentsOf: $0.0, encoding: .utf8) }
        return Result(status: process.terminationStatus, output: texts[0], error: texts[1])
    }
}
