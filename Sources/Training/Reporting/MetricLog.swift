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
/// takes that part and every line after its checkpoint out again, and the sequence has no gap and no repetition. Lines that
/// find no room wait for the next; those that may not be on the disk when a checkpoint is written go into it
/// (``unsaved()``), and a resumed run puts them in their places.
public final class MetricLog {
    /// The file.
    public let path: String
    /// Lines that have found no room yet.
    public private(set) var waiting: [StepMetrics] = []
    private var unsynchronized: [StepMetrics] = []
    private let descriptor: CInt

    /// Opens the log of a run that goes on after `step`, 0 for a new one.
    ///
    /// Lines of later steps and a last line that was cut off are removed, in place, so that a full disk does not forbid it;
    /// `missing` are steps that a checkpoint kept because the file may lack them. Throws ``FileError`` when an earlier line is
    /// no JSON object of a step, or when the file cannot be written.
    public init(_ path: String, resumingAfter step: Int = 0, missing: [StepMetrics] = []) throws {
        self.path = path
        var info = stat()
        var kept: Int?
        var waiting: [StepMetrics] = []
        // A device or a pipe, such as /dev/null, holds no lines to keep.
        if stat(path, &info) == 0, info.st_mode & S_IFMT == S_IFREG || info.st_mode & S_IFMT == S_IFDIR {
            let bytes = try Self.bytes(of: path)
            var lines = try Self.parse(bytes, path: path).prefix { $0.metrics.step <= step }
            // A last line that lacks its line feed is written again.
            if let end = lines.last?.end, end > bytes.count { waiting.append(lines.removeLast().metrics) }
            kept = lines.last?.end ?? 0
            let last = waiting.last?.step ?? lines.last?.metrics.step ?? 0
            waiting += missing.filter { $0.step > last && $0.step <= step }
            if info.st_nlink > 1 {
                // A copy of a run by hard links: the original's log stays as it is.
                try AtomicFile.write(to: path) { try $0.write(Array(bytes[..<(kept ?? 0)])) }
            }
        } else {
            waiting = missing.filter { $0.step <= step }
        }
        let opened = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o666)
        guard opened >= 0 else {
            throw FileError(path, expected: "a file that can be written", found: String(cString: strerror(errno)))
        }
        if let kept, ftruncate(opened, off_t(kept)) != 0 {
            let reason = String(cString: strerror(errno))
            close(opened)
            throw FileError(path, expected: "a file that can be cut", found: reason)
        }
        descriptor = opened
        self.waiting = waiting
        // What does not fit now is said with the first line that does not.
        try? writeWaiting()
    }

    deinit { close(descriptor) }

    /// Adds a line, after those that wait. Throws ``FileError`` when the disk has no room: the file then ends with a whole
    /// line, and the line waits.
    public func append(_ metrics: StepMetrics) throws {
        waiting.append(metrics)
        try writeWaiting()
    }

    /// Writes what waits if it can, brings all to the disk, and gives the lines that may not be there: a checkpoint has to
    /// keep them.
    public func unsaved() -> [StepMetrics] {
        try? writeWaiting()
        // Devices and pipes have nothing to bring anywhere.
        if fsync(descriptor) == 0 || errno == EINVAL || errno == EROFS { unsynchronized = [] }
        return unsynchronized + waiting
    }

    private func writeWaiting() throws {
        while let next = waiting.first {
            try write(Array((next.json + "\n").utf8))
            unsynchronized.append(waiting.removeFirst())
        }
    }

    private func write(_ line: [UInt8]) throws {
        let end = lseek(descriptor, 0, SEEK_END)
        var done = 0
        while done < line.count {
            #if canImport(Glibc)
                let count = line.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress! + done, $0.count - done) }
            #else
                let count = line.withUnsafeBytes { Musl.write(descriptor, $0.baseAddress! + done, $0.count - done) }
            #endif
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

    /// The lines, each with the place behind its line feed.
    private static func parse(_ bytes: [UInt8], path: String) throws -> [(end: Int, metrics: StepMetrics)] {
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        var result: [(end: Int, metrics: StepMetrics)] = []
        for (index, line) in lines.enumerated() {
            let isLast = index == lines.count - 1
            if isLast && line.isEmpty { break }
            guard let metrics = try? JSONValue.decoding(StepMetrics.self, from: line) else {
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
            result.append((line.endIndex + 1, metrics))
        }
        return result
    }

    private static func brief(_ line: some Sequence<UInt8>) -> String {
        let text = String(decoding: Array(line.prefix(40)), as: UTF8.self)
        let printable = text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? "·" : String($0) }.joined()
        return printable.isEmpty ? "an empty line" : "'\(printable)'"
    }
}
