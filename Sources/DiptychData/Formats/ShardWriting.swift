import Foundation
import TensorIO

/// What the writers of shards share.
enum ShardWriting {
    /// The file that stands in a folder of shards until all of them are there.
    static let unfinishedName = "unfinished.json"

    /// The members of a pair in a shard.
    struct Sample: Sendable {
        /// What all its members' names begin with.
        var key: String
        /// The members: an extension such as `source.png`, and bytes.
        var members: [(name: String, bytes: [UInt8])]
    }

    /// Writes one shard.
    static func write(_ samples: [Sample], to path: String) throws {
        try TarWriter.write(to: path) { tar in
            for sample in samples {
                for member in sample.members { try tar.add("\(sample.key).\(member.name)", member.bytes) }
            }
        }
    }
}
