import DiptychData
import Foundation
import InContextEdit
import TensorIO

/// Lists of pairs, shards and MagicBrush's lists.
extension FuzzTarget {
    static var datasets: [FuzzTarget] { [list, tar, sessions] }

    private static let pairWords = [
        "source", "target", "instruction", "instructions", "mask", "task", "score", "subject", "description",
        "input_caption", "output_caption", "id", "session", "turn", "s.png", "t.png", ".json", ".source.png",
    ]

    private static var list: FuzzTarget {
        FuzzTarget(
            "metadata-list", dictionary: pairWords,
            seeds: { folder in
                let dataset = try folder.make("list")
                let picture = try FuzzFolder.fixture("images/rgb8.png")
                for name in ["s.png", "t.png"] { try folder.write(picture, "list/\(name)") }
                _ = dataset
                return [
                    #"{"source": "s.png", "target": "t.png", "instruction": "make it blue", "task": "color", "score": 4.5}"#
                        + "\n"
                        + #"{"source": "s.png", "target": "t.png", "instructions": ["a", "b"], "input_caption": "x", "output_caption": "y"}"#
                        + "\n",
                    "\u{FEFF}{\"source\": \"s.png\", \"target\": \"t.png\", \"instruction\": \"größe\", \"mask\": \"s.png\"}\r\n",
                    #"{"source": "s.png", "instruction": "a", "id": "x", "session": "y", "turn": 1}"# + "\r",
                    "{\"source\": \"\u{1B}]0;owned\u{7}\u{1B}[2Jx.png\", \"target\": \"y.png\", \"instruction\": \"a\"}\n",
                    "source,target,instruction\ns.png,t.png,\"make it, blue\"\n",
                ].map { Array($0.utf8) } + [
                    [0x7B, 0x22, 0xE4, 0x22, 0x7D, 0x0A], [0xFF, 0xFE, 0x7B, 0x00, 0x7D, 0x00],
                ]
            }
        ) { bytes, folder in
            try folder.write(bytes, "list/metadata.jsonl")
            try use(folder.path + "/list")
        }
    }

    private static var tar: FuzzTarget {
        FuzzTarget(
            "tar", dictionary: pairWords + ["ustar\0", "path=", "size="],
            seeds: { folder in
                let picture = try FuzzFolder.fixture("images/rgb8.png")
                let path = folder.path + "/seed.tar"
                try TarWriter.write(to: path) { tar in
                    for key in ["0001", "0002"] {
                        try tar.add("\(key).source.png", picture)
                        try tar.add("\(key).target.png", picture)
                        try tar.add("\(key).json", Array(#"{"instruction": "make it blue", "task": "color"}"#.utf8))
                    }
                }
                return [try FuzzFolder.bytes(path), Tar.extended]
            }, mend: Tar.mend
        ) { bytes, folder in
            try use(folder.write(bytes, "fuzz.tar"))
        }
    }

    private static var sessions: FuzzTarget {
        FuzzTarget(
            "magicbrush-list", dictionary: pairWords + ["input", "output", "edit_turns"],
            seeds: { folder in
                _ = try folder.make("brush")
                try folder.write(
                    Array(
                        #"[{"input": "1-input.png", "mask": "1-mask1.png", "output": "1-output1.png", "instruction": "a"}]"#
                            .utf8),
                    "brush/edit_turns.json")
                return [
                    Array(
                        #"{"1": [{"input": "1-input.png", "mask": "1-mask1.png", "output": "1-output1.png", "instruction": "a"}]}"#
                            .utf8)
                ]
            }
        ) { bytes, folder in
            try folder.write(bytes, "brush/edit_sessions.json")
            _ = try EvaluationDataset(path: folder.path + "/brush").sessions
        }
    }

    private static func use(_ path: String) throws {
        var reading = PairReading()
        reading.leavesFaultsOut = true
        if let evaluation = try? EvaluationDataset(path: path, reading: reading) { _ = evaluation.sessions.count }
        if let some = try? PairDataset(path: path, reading: reading), !some.records.isEmpty {
            _ = try? some.panels(at: 0, width: 16, height: 16)
            _ = try? some.fingerprint()
        }
        _ = try PairDataset(path: path)
    }
}

/// Headers of tar archives.
enum Tar {
    /// An archive with a pax header and a long name of GNU's.
    static var extended: [UInt8] {
        func member(_ name: String, _ type: String, _ content: String) -> [UInt8] {
            var header = [UInt8](repeating: 0, count: 512)
            header.replaceSubrange(0..<name.utf8.count, with: name.utf8)
            let size = String(content.utf8.count, radix: 8)
            header.replaceSubrange(
                124..<136, with: Array((String(repeating: "0", count: 11 - size.count) + size + "\0").utf8))
            header[156] = Array(type.utf8)[0]
            header.replaceSubrange(257..<263, with: Array("ustar\0".utf8))
            let padding = (512 - content.utf8.count % 512) % 512
            return header + Array(content.utf8) + [UInt8](repeating: 0, count: padding)
        }
        var bytes =
            member("pax", "x", "19 path=0001.json\n10 size=2\n") + member("cut", "0", "{}")
            + member("long", "L", "folder/0001.source.png\0") + member("cut", "0", "x")
        bytes += [UInt8](repeating: 0, count: 1024)
        var random = FuzzRandom(seed: 0)
        mend(&bytes, &random)
        return bytes
    }

    @Sendable static func mend(_ bytes: inout [UInt8], _ random: inout FuzzRandom) {
        var place = 0
        while place + 512 <= bytes.count {
            if bytes[place..<place + 512].allSatisfy({ $0 == 0 }) { return }
            for index in 148..<156 { bytes[place + index] = 32 }
            let sum = String(bytes[place..<place + 512].reduce(0) { $0 + Int($1) }, radix: 8)
            let text = String(repeating: "0", count: max(0, 6 - sum.count)) + sum + "\0 "
            bytes.replaceSubrange(place + 148..<place + 156, with: Array(text.utf8).prefix(8))
            let digits = bytes[place + 124..<place + 135].prefix { 0x30...0x37 ~= $0 }
            let size = Int(String(decoding: digits, as: UTF8.self), radix: 8) ?? 0
            guard size <= bytes.count else { return }
            place += 512 + (size + 511) / 512 * 512
        }
    }
}
