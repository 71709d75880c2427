import DiptychData
import Foundation
import TensorIO
import Yams

extension RunConfiguration {
    /// A further dataset of a mix: where it lies, and what is chosen of it and named in it otherwise than in the others.
    public struct Dataset: Codable, Sendable, Equatable, ExpressibleByStringLiteral {
        /// A folder or a shard.
        public var path: String
        /// Its own names of columns, each `name=column`; nil takes those of `data.columns`.
        public var columns: [String]?
        /// Its tasks to keep, where empty keeps all; nil takes those of `data.tasks`.
        public var tasks: [String]?
        /// The least score of its pairs; nil takes that of `data.minimum_score`.
        public var minimumScore: MinimumScore?

        /// A dataset that is read as the others.
        public init(path: String) { self.path = path }

        /// A path.
        public init(stringLiteral value: String) { path = value }

        /// Whether anything but the path is given.
        var isPlain: Bool { self == Dataset(path: path) }
    }

    /// The least score of a pair that has one.
    public enum MinimumScore: Codable, Sendable, Equatable {
        /// Every pair stays.
        case any
        /// Pairs below it are left out.
        case atLeast(Double)

        /// The bound, if there is one.
        var bound: Double? {
            switch self {
            case .any: nil
            case .atLeast(let score): score
            }
        }
    }
}

extension ConfigurationValue where Value == [RunConfiguration.Dataset] {
    /// A list of datasets, each a path or a mapping.
    static var datasets: Self {
        Self(
            name: "list of paths, or of mappings with path, columns, tasks and minimum_score",
            read: { node in
                guard let nodes = node.sequence else { return nil }
                let datasets = nodes.compactMap { DatasetReader($0, number: 0).dataset }
                return datasets.count == nodes.count ? datasets : nil
            },
            write: { Node($0.map(DatasetReader.node), .implicit, .flow) },
            isValid: { $0.allSatisfy(DatasetReader.isValid) },
            explain: { node in
                // data.path is the first.
                node.sequence?.enumerated().flatMap { DatasetReader($1, number: $0 + 2).faults } ?? []
            })
    }
}

/// Reads one dataset of the list, and collects what is wrong with it.
private struct DatasetReader {
    private static let columns = ConfigurationValue<[String]>.texts("name=column")
    private static let tasks = ConfigurationValue<[String]>.texts("tasks")
    private static let score = ConfigurationValue<Double?>.optional(.number())
    private static let keys = ["path", "columns", "tasks", "minimum_score"]

    /// What was read; nil when anything was wrong.
    private(set) var dataset: RunConfiguration.Dataset?
    private(set) var faults: [ConfigurationMessage] = []

    init(_ node: Node, number: Int) {
        func fault(_ place: Node, _ message: String) -> ConfigurationMessage {
            ConfigurationMessage(line: place.mark?.line, text: "dataset \(number): \(message)")
        }
        let path = ConfigurationValue<String>.path
        guard let mapping = node.mapping else {
            if let place = path.read(node) {
                dataset = RunConfiguration.Dataset(path: place)
            } else {
                faults = [fault(node, "expected a path or a mapping with one, found \(brief(node))")]
            }
            return
        }
        var read = RunConfiguration.Dataset(path: "")
        var isPathFaulty = false
        /// Takes a value of a key, or says what was expected.
        func take<Value>(_ value: ConfigurationValue<Value>, _ key: Node, _ node: Node) -> Value? {
            if let found = value.read(node) { return found }
            faults.append(fault(key, "\(key.string ?? ""): expected \(value.name), found \(brief(node))"))
            return nil
        }
        for (key, value) in mapping {
            switch key.string {
            case "path":
                let place = take(path, key, value)
                isPathFaulty = place == nil
                read.path = place ?? ""
            case "columns": read.columns = take(Self.columns, key, value)
            case "tasks": read.tasks = take(Self.tasks, key, value)
            case "minimum_score":
                guard let score = take(Self.score, key, value) else { continue }
                read.minimumScore = score.map { .atLeast($0) } ?? .any
            default:
                let nearest = key.string.flatMap { nearestName(to: $0, among: Self.keys) }
                faults.append(
                    fault(
                        key,
                        "unknown key '\(key.string ?? brief(key))'"
                            + (nearest.map { " (did you mean '\($0)'?)" } ?? "")))
            }
        }
        if read.path.isEmpty, !isPathFaulty { faults.append(fault(node, "expected the key 'path', found none")) }
        if faults.isEmpty { dataset = read }
    }

    static func isValid(_ dataset: RunConfiguration.Dataset) -> Bool {
        ConfigurationValue<String>.path.isValid(dataset.path) && columns.isValid(dataset.columns ?? [])
            && tasks.isValid(dataset.tasks ?? []) && score.isValid(dataset.minimumScore?.bound)
    }

    /// A path alone where nothing else is given.
    static func node(_ dataset: RunConfiguration.Dataset) -> Node {
        let path = ConfigurationValue<String>.path.write(dataset.path)
        guard !dataset.isPlain else { return path }
        var pairs = [(Node("path"), path)]
        if let own = dataset.columns { pairs.append((Node("columns"), columns.write(own))) }
        if let own = dataset.tasks { pairs.append((Node("tasks"), tasks.write(own))) }
        if let own = dataset.minimumScore { pairs.append((Node("minimum_score"), score.write(own.bound))) }
        return Node(pairs, .implicit, .flow)
    }
}
