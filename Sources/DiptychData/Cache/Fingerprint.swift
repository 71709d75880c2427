import Foundation
import InContextEdit
public import Models
public import TensorCore
public import TensorIO

/// A short number that almost surely tells contents apart; no protection against intent.
public struct Fingerprint: Sendable, Hashable, CustomStringConvertible {
    private var low: UInt64 = 0xCBF2_9CE4_8422_2325
    private var high: UInt64 = 0x6C62_272E_07BB_0142

    /// That of nothing.
    public init() {}

    /// Takes in bytes and their number.
    public mutating func add(_ bytes: UnsafeRawBufferPointer) {
        mix(UInt64(bytes.count))
        var place = 0
        while place + 8 <= bytes.count {
            mix(UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self)))
            place += 8
        }
        var rest: UInt64 = 0
        while place < bytes.count {
            rest = rest << 8 | UInt64(bytes[place])
            place += 1
        }
        mix(rest)
    }

    /// Takes in a text.
    public mutating func add(_ text: String) {
        var text = text
        text.withUTF8 { add(UnsafeRawBufferPointer($0)) }
    }

    /// Takes in a number.
    public mutating func add(_ number: Int) { mix(UInt64(bitPattern: Int64(number))) }

    /// Takes in a tensor: its type, its extents and its numbers, in their order whatever the strides.
    public mutating func add(_ tensor: Tensor) {
        add(tensor.dtype.rawValue)
        for extent in tensor.shape.dimensions { add(extent) }
        addBytes(of: tensor)
    }

    /// Takes in the bytes of a tensor's numbers.
    mutating func addBytes(of tensor: Tensor) {
        let dense = tensor.contiguous()
        withExtendedLifetime(dense) {
            let start = dense.storage.base + dense.offset * dense.dtype.byteCount
            add(UnsafeRawBufferPointer(start: start, count: dense.count * dense.dtype.byteCount))
        }
    }

    /// 32 hexadecimal digits.
    public var description: String {
        zeroPadded(Self.finished(low), digits: 16, radix: 16) + zeroPadded(Self.finished(high), digits: 16, radix: 16)
    }

    /// Half as long.
    public var word: Int64 { Int64(bitPattern: Self.finished(low) ^ Self.finished(high &+ 0x9E37_79B9_7F4A_7C15)) }

    private mutating func mix(_ word: UInt64) {
        low = (low ^ word) &* 0x100_0000_01B3
        low ^= low >> 29
        high = (high &+ word) &* 0x9E37_79B9_7F4A_7C15
        high ^= high >> 32
    }

    private static func finished(_ value: UInt64) -> UInt64 {
        let word = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        return word ^ word >> 31
    }
}

extension Fingerprint {
    /// The largest file that is read whole.
    private static let wholeByteCount = 64 << 20

    /// Takes in a file: its size and its bytes; of one above 64 MiB the first 4 MiB and 256 pieces of 64 KiB spread evenly,
    /// since gigabytes of weights are not to be read whenever a run begins.
    public mutating func add(file path: String) throws(FileError) {
        let file: MappedFile
        do {
            file = try MappedFile(path: path)
        } catch {
            throw FileError(path, expected: "a file that can be read", found: error.reason)
        }
        withExtendedLifetime(file) {
            let bytes = file.bytes
            add(bytes.count)
            guard bytes.count > Self.wholeByteCount else { return add(bytes) }
            let (head, piece, count) = (4 << 20, 64 << 10, 256)
            add(UnsafeRawBufferPointer(rebasing: bytes[..<head]))
            for i in 0..<count {
                let start = head + (bytes.count - head - piece) / (count - 1) * i
                add(UnsafeRawBufferPointer(rebasing: bytes[start..<start + piece]))
            }
        }
    }

    /// Takes in a file, or all files of a folder and of its folders with their names; hidden ones are passed over.
    public mutating func add(contentsOf path: String) throws(FileError) {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            throw FileError(path, expected: "a file or a folder", found: "nothing")
        }
        guard isFolder.boolValue else {
            // What an index names lies beside it.
            let shards = path.hasSuffix(".safetensors.index.json") ? try? ShardedSafetensors(indexPath: path) : nil
            for shard in (shards?.shards ?? [:]).sorted(by: { $0.key < $1.key }) { try add(file: shard.value.path) }
            return try add(file: path)
        }
        let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        for name in names.filter({ !$0.hasPrefix(".") }).sorted(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }) {
            add(name)
            try add(contentsOf: path + "/" + name)
        }
    }
}

extension Fingerprint {
    /// That of the files that some parts of a pipeline are read from. Throws `FileError` when one is missing.
    public init(of parts: [PipelineFolder.Part], in pipeline: PipelineParts) throws(FileError) {
        self.init()
        for part in parts {
            let place = pipeline.place(of: part)
            // T5's tokenizer may come from its GGUF file.
            guard part != .tokenizer2 || FileManager.default.fileExists(atPath: place) else { continue }
            try add(contentsOf: place)
        }
    }
}

extension PairDataset {
    /// What tells this list of pairs from others: all texts, and of each picture its size in bytes and 256 bytes from its
    /// middle, without reading more; of one that cannot be read, that it cannot.
    public func fingerprint() -> Fingerprint { fingerprints().list }

    /// The ``fingerprint()``, and one that is the same for any order of the pairs.
    public func fingerprints() -> (list: Fingerprint, set: Fingerprint) {
        var list = Fingerprint()
        var sum: UInt64 = 0
        for (record, file) in zip(records, files) {
            var pair = Fingerprint()
            func add(_ body: (inout Fingerprint) -> Void) {
                body(&list)
                body(&pair)
            }
            for text in [record.fields.instruction, record.fields.subject, record.fields.description]
                + [record.fields.inputCaption, record.fields.outputCaption] + record.instructions
            {
                add { $0.add(text ?? "\u{0}") }
            }
            add { $0.add(file.reading.cropBottom) }
            if let mirrorable = record.mirrorable { add { $0.add(mirrorable ? "mirrorable" : "not mirrorable") } }
            for picture in [file.source, file.target] {
                do {
                    try PairListing.withMappedBytes(of: picture, shards) { bytes, _ in
                        let start = max(0, bytes.count / 2 - 128)
                        add {
                            $0.add(bytes.count)
                            $0.add(UnsafeRawBufferPointer(rebasing: bytes[start..<min(bytes.count, start + 256)]))
                        }
                    }
                } catch {
                    add { $0.add(-1) }
                }
            }
            sum &+= UInt64(bitPattern: pair.word)
        }
        var set = Fingerprint()
        set.add(records.count)
        set.add(Int(bitPattern: UInt(sum)))
        return (list, set)
    }
}
