import Foundation
import Synchronization
import TensorCore
import TensorIO

extension PairListing {
    private typealias Part = (tar: TarFile?, entries: [Entry], faults: [FileError], untargeted: Int)

    /// Reads the headers and texts of shards, in parallel.
    mutating func readShards(_ paths: [String]) {
        let parts = Mutex<[Int: Part]>([:])
        let (reading, purpose) = (reading, purpose)
        parallelFor(paths.count, grain: 1) { range in
            for i in range {
                var part: Part = (nil, [], [], 0)
                do throws(FileError) {
                    let tar = try TarFile(path: paths[i])
                    part.tar = tar
                    Self.read(tar, number: i, reading, purpose, &part)
                } catch {
                    part.faults = [error]
                }
                let whole = part
                parts.withLock { $0[i] = whole }
            }
        }
        let all = parts.withLock { $0 }.sorted { $0.key < $1.key }.map(\.value)
        for part in all {
            faults += part.faults
            entries += part.entries
            untargeted += part.untargeted
        }
        // The numbers of shards hold only when every one of them could be opened.
        shards = all.compactMap(\.tar)
        if shards.count < all.count {
            let places = all.indices.filter { all[$0].tar != nil }
            let numbers = Dictionary(uniqueKeysWithValues: places.enumerated().map { ($0.element, $0.offset) })
            for i in entries.indices { entries[i].renumber(numbers) }
        }
    }

    /// Puts together the members whose names begin with the same key, up to the first dot of the file's name.
    private static func read(
        _ tar: TarFile, number: Int, _ reading: PairReading, _ purpose: Purpose, _ part: inout Part
    ) {
        var groups: [(key: String, members: [String: TarFile.Member])] = []
        for member in tar.members {
            let slash = member.name.lastIndex(of: "/").map { member.name.index(after: $0) } ?? member.name.startIndex
            guard let dot = member.name[slash...].firstIndex(of: "."), dot > slash else { continue }
            let key = String(member.name[..<dot])
            let kind = member.name[member.name.index(after: dot)...].lowercased()
            if groups.last?.key != key { groups.append((key, [:])) }
            if groups[groups.count - 1].members.updateValue(member, forKey: kind) != nil {
                part.faults.append(
                    FileError(tar.path, key: key, expected: "one member '\(kind)'", found: "another before it"))
            }
        }
        if groups.isEmpty {
            part.faults.append(FileError(tar.path, expected: "at least one pair", found: "an archive without any"))
        }
        for group in groups {
            do throws(FileError) {
                let entry = try entry(tar, number, group.key, group.members, reading, purpose)
                if entry.target == nil, purpose == .training {
                    part.untargeted += 1
                    throw fault(tar, group.key, "\(reading.name(of: "target")).png, .jpg or .webp", group.members)
                }
                part.entries.append(entry)
            } catch {
                part.faults.append(error)
            }
        }
    }

    private static func entry(
        _ tar: TarFile, _ number: Int, _ key: String, _ members: [String: TarFile.Member], _ reading: PairReading,
        _ purpose: Purpose
    ) throws(FileError) -> Entry {
        func picture(_ column: String) -> TarFile.Member? {
            let name = reading.name(of: column).lowercased()
            return StoredImageFormat.suffixes.lazy.compactMap { members["\(name).\($0)"] }.first
        }
        func need(_ member: TarFile.Member?, _ name: String) throws(FileError) -> TarFile.Member {
            guard let member else { throw fault(tar, key, name, members) }
            return member
        }
        let source = try need(picture("source"), "\(reading.name(of: "source")).png, .jpg or .webp")
        let target = picture("target")
        let bytes = tar.withBytes(of: try need(members["json"], "json")) { [UInt8]($0) }
        let object = try object(TextFile(decoding: bytes, path: tar.path, key: key).text, tar.path, key)
        var record = try record(object, tar.path, key, purpose, reading, pictures: false)
        record.source = source.name
        record.target = target?.name ?? ""
        return Entry(
            record: record, source: .member(shard: number, source),
            target: target.map { .member(shard: number, $0) }, mask: picture("mask").map { .member(shard: number, $0) },
            list: tar.path, place: key, name: EvaluationName(object, otherwise: key))
    }

    /// A pair without a member.
    private static func fault(
        _ tar: TarFile, _ key: String, _ name: String, _ members: [String: TarFile.Member]
    ) -> FileError {
        FileError(
            tar.path, key: key, expected: "a member '\(key).\(name)'",
            found: members.keys.sorted().map { "'.\($0)'" }.joined(separator: ", "))
    }
}

extension PairListing.Entry {
    fileprivate mutating func renumber(_ numbers: [Int: Int]) {
        func renumbered(_ file: PairFile) -> PairFile {
            guard case .member(let shard, let member) = file else { return file }
            return .member(shard: numbers[shard]!, member)
        }
        source = renumbered(source)
        target = target.map(renumbered)
        mask = mask.map(renumbered)
    }
}
