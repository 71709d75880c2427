import Foundation
import TensorIO

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A run's figures as a file of JSON lines, one ``StepMetrics`` each, in ascending order of steps.
///
/// Every line reaches the file in one write, so that a killed run loses at most a part of its last line; a resumed run
/// takes that part and every line after its checkpoint out again, and the sequence has no gap and no repetition.
public final class MetricLog {
    /// The file.
    public let path: String
    private let descriptor: CInt

    /// Opens the log of a run that goes on after `step`, 0 for a new one.
    ///
    /// Lines of later steps and a last line that was cut off are removed; the file is replaced whole (see ``AtomicFile``).
    /// Throws ``FileError`` when an earlier line is no JSON object of a step, or when the file cannot be written.
    public init(_ path: String, resumingAfter step: Int = 0) throws {
        self.path = path
        var info = stat()
        // A device or a pipe, such as /dev/null, holds no lines to keep.
        if stat(path, &info) == 0, info.st_mode & S_IFMT == S_IFREG || info.st_mode & S_IFMT == S_IFDIR {
            let bytes = try Self.bytes(of: path)
            let kept = try Self.parse(bytes, path: path).prefix { $0.metrics.step <= step }
            let text = kept.map { $0.line + "\n" }.joined()
            if Array(text.utf8) != bytes {
                try AtomicFile.write(to: path) { try $0.write(Array(text.utf8)) }
            }
        }
        descriptor = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else {
            throw FileError(path, expected: "a file that can be written", found: String(cString: strerror(errno)))
        }
    }

    deinit { close(descriptor) }

    /// Adds a line. Throws ``FileError`` when it does not fit on the disk; the file then ends with the line before.
    public func append(_ metrics: StepMetrics) throws {
        let line = Array((metrics.json + "\n").utf8)
        let end = lseek(descriptor, 0, SEEK_END)
        var done = 0
        while done < line.count {
            let count = line.withUnsafeBytes { write(descriptor, $0.baseAddress! + done, $0.count - done) }
            if count < 0 {
                if errno == EINTR { continue }
                let reason = String(cString: strerror(errno))
                ftruncate(descriptor, end)
                throw FileError(path, expected: "room for another line", found: reason)
            }
            done += count
        }
    }

    /// All steps of a log, without a last line that was cut off. Throws ``FileError`` as ``init(_:resumingAfter:)`` does.
    public static func read(_ path: String) throws -> [StepMetrics] {
        try parse(bytes(of: path), path: path).map(\.metrics)
    }

    private static func bytes(of path: String) throws -> [UInt8] {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), !isFolder.boolValue else {
            throw FileError(path, expected: "a metric log", found: isFolder.boolValue ? "a folder" : "no such file")
        }
        guard let bytes = FileManager.default.contents(atPath: path) else {
            throw FileError(path, expected: "a metric log", found: "a file that cannot be read")
        }
        return Array(bytes)
    }

    private static func parse(_ bytes: [UInt8], path: String) throws -> [(line: String, metrics: StepMetrics)] {
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        let decoder = JSONDecoder()
        var result: [(line: String, metrics: StepMetrics)] = []
        for (index, line) in lines.enumerated() {
            let isLast = index == lines.count - 1
            if isLast && line.isEmpty { break }
            guard let metrics = try? decoder.decode(StepMetrics.self, from: Data(line)) else {
                // What follows the last line feed is a line that a kill cut off.
                if isLast { break }
                throw FileError(
                    path, key: "line \(index + 1)", expected: "a JSON object with step, loss and mse",
                    found: brief(line))
            }
            if let last = result.last, last.metrics.step >= metrics.step {
                throw FileError(
                    path, key: "line \(index + 1)", expected: "a step after \(last.metrics.step)",
                    found: "\(metrics.step)")
            }
            result.append((String(decoding: line, as: UTF8.self), metrics))
        }
        return result
    }

    private static func brief(_ line: some Sequence<UInt8>) -> String {
        let text = String(decoding: Array(line.prefix(40)), as: UTF8.self)
        let printable = text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? "·" : String($0) }.joined()
        return printable.isEmpty ? "an empty line" : "'\(printable)'"
    }
}
