import Foundation
import InContextEdit
import TensorIO

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The pairs of an unfinished dataset whose panels are whole, a line each as in `metadata.jsonl`, in the order in which they
/// were made.
///
/// A line is written after its panels. One that a killed process cut off, or that a failing disk spoiled, is passed over:
/// its pair is made again.
final class PhotoEditsJournal: Sendable {
    /// The name of the file, which goes when the dataset is finished.
    static let name = "unfinished-pairs.jsonl"

    private let path: String
    private let descriptor: CInt

    /// Opens the journal. Throws ``FileError`` when it cannot be written.
    init(appendingTo path: String) throws(FileError) {
        self.path = path
        descriptor = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else {
            throw FileError(path, expected: "a file that can be written", found: String(cString: strerror(errno)))
        }
    }

    deinit { close(descriptor) }

    /// Adds a pair; calls must not overlap. Throws ``FileError`` when the disk is full.
    func append(_ record: PairRecord) throws {
        // The line before may have been cut off: an empty line does no harm.
        let feed = UInt8(ascii: "\n")
        let bytes = [feed] + record.json.bytes() + [feed]
        let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        guard count == bytes.count else {
            throw FileError(
                path, expected: "room for another line",
                found: count < 0 ? String(cString: strerror(errno)) : "\(count) bytes of \(bytes.count)")
        }
    }

    /// The pairs of a journal or of a list; none where there is no file.
    static func records(_ path: String) -> [PairRecord] {
        guard let bytes = FileManager.default.contents(atPath: path) else { return [] }
        return bytes.split(separator: UInt8(ascii: "\n")).compactMap { line in
            guard let object = try? PairListing.object(String(decoding: line, as: UTF8.self), path, "") else {
                return nil
            }
            return try? PairListing.record(object, path, "", .training, PairReading())
        }
    }
}
