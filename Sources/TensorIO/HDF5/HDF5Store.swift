import CStorage
import TensorCore

/// The open file behind an ``HDF5File`` and every object in it.
///
/// All calls of the library go through ``perform(_:)``, which holds the lock, refuses a closed file and notices a full
/// disk. What it protects is `state`; that makes the class sendable.
final class HDF5Store: @unchecked Sendable {
    let path: String
    /// The length of a file that is read; no honest dataset declares much more than what fits into it.
    let fileByteCount: Int
    private var state: State
    private var file: HDF5Handle
    private let output: Output?

    private enum State {
        case open
        case closed
        /// The file could not be written; every later call says so again.
        case failed(FileError)
    }

    /// A file being written: its bytes go to a neighbour by way of `sink`.
    private struct Output {
        let atomic: AtomicFile
        let sink: UnsafeMutablePointer<storage_h5_sink>
    }

    init(reading path: String) throws {
        let mapped: MappedFile
        do { mapped = try MappedFile(path: path) } catch {
            throw FileError(path, expected: "a readable HDF5 file", found: error.reason)
        }
        self.path = path
        fileByteCount = mapped.byteCount
        output = nil
        // Files of this program have checksums over all but the places of chunks, which are compared with other checksums;
        // those of other formats have none, so that their elements are tried too.
        let hasChecksums = Self.hasChecksums(mapped)
        file = try HDF5Library.locked {
            guard storage_h5_survives(path, mapped.byteCount, hasChecksums ? 0 : 1) != 0 else {
                throw FileError(
                    path, expected: "an HDF5 file that is whole", found: "damage that the HDF5 library does not survive"
                )
            }
            let id = storage_h5_open(path)
            guard id >= 0 else {
                let message = HDF5Library.message()
                let content = withExtendedLifetime(mapped) {
                    FileContent.name(of: mapped.bytes, besides: "an HDF5 file")
                }
                throw FileError(path, expected: "an HDF5 file", found: content ?? message)
            }
            return HDF5Handle(id)
        }
        state = .open
    }

    /// Whether the file is of a version of the format whose metadata carries checksums.
    private static func hasChecksums(_ file: MappedFile) -> Bool {
        withExtendedLifetime(file) {
            file.bytes.starts(with: [0x89, 0x48, 0x44, 0x46, 0x0D, 0x0A, 0x1A, 0x0A])
                && file.bytes.count > 8 && file.bytes[8] >= 2
        }
    }

    init(creating path: String) throws {
        self.path = path
        fileByteCount = Int.max
        let atomic = try AtomicFile(replacing: path)
        let sink = UnsafeMutablePointer<storage_h5_sink>.allocate(capacity: 1)
        sink.initialize(to: storage_h5_sink(descriptor: atomic.fileDescriptor, failure: 0))
        output = Output(atomic: atomic, sink: sink)
        do {
            file = try HDF5Library.locked {
                let id = storage_h5_create(sink)
                guard id >= 0 else { throw FileError(path, expected: "a new HDF5 file", found: HDF5Library.message()) }
                return HDF5Handle(id)
            }
        } catch {
            sink.deallocate()
            throw error
        }
        state = .open
    }

    deinit {
        close()
        output?.sink.deallocate()
    }

    var isWritable: Bool { output != nil }

    /// The identifier of the file, valid while it is open.
    var id: hid_t { file.id }

    /// Runs `body` alone in the library. Throws what `body` throws, or that the disk is full: then the file is gone.
    func perform<Result>(_ body: () throws -> Result) throws -> Result {
        try HDF5Library.locked {
            switch state {
            case .open: break
            case .closed: preconditionFailure("\(path) is used after close() or commit()")
            case .failed(let error): throw error
            }
            let result = Swift.Result { try body() }
            try throwIfDiskRefused()
            return try result.get()
        }
    }

    /// `result`, unless it is negative as failures are.
    @discardableResult
    func check<Result: SignedInteger>(_ result: Result, _ key: String?, _ expected: @autoclosure () -> String) throws
        -> Result
    {
        guard result >= 0 else {
            let message = HDF5Library.message()
            throw FileError(path, key: key.map { printable($0) }, expected: expected(), found: message)
        }
        return result
    }

    /// Writes what is buffered, closes the file and gives it its name.
    func commit() throws {
        guard let output else { preconditionFailure("\(path) is open for reading only") }
        try perform {
            try check(H5Fflush(file.id, H5F_SCOPE_GLOBAL), nil, "a file that can be written")
            try throwIfDiskRefused()
            try check(H5Fclose(file.id), nil, "a file that can be closed")
        }
        state = .closed
        try output.atomic.commit()
    }

    /// Closes the file; one that was being written and not committed disappears.
    func close() {
        HDF5Library.locked {
            if case .open = state {
                state = .closed
                H5Fclose(file.id)
            }
            output?.atomic.discard()
        }
    }

    private func throwIfDiskRefused() throws {
        guard let output, output.sink.pointee.failure != 0 else { return }
        let error = output.atomic.writeFault(output.sink.pointee.failure)
        close()
        state = .failed(error)
        throw error
    }
}
