import InContextEdit
import TensorIO

extension PhotoEdits {
    /// What to make.
    public struct Options: Codable, Sendable, Hashable {
        /// The number of pairs, at least 1.
        public var count: Int
        /// Width of a panel in pixels, a multiple of 16.
        public var width: Int
        /// Height of a panel in pixels, a multiple of 16.
        public var height: Int
        /// What all that is random depends on.
        public var seed: UInt64
        /// How panels are stored. By default JPEG from 128 pixels on, a tenth of PNG's size for photographs; below, PNG:
        /// there a JPEG's blocks and halved chroma are large beside what is edited, and files are small anyway.
        public var format: PanelFormat
        /// The names of the kinds of edit to make, all unless told.
        public var kinds: [String]

        /// Collects the options.
        public init(
            count: Int, width: Int = 256, height: Int = 256, seed: UInt64 = 0, format: PanelFormat? = nil,
            kinds: [String] = EditKind.all.map(\.name)
        ) {
            self.count = count
            self.width = width
            self.height = height
            self.seed = seed
            self.format = format ?? PanelFormat(side: min(width, height))
            self.kinds = kinds
        }

        /// The smallest photograph of which crops can be made: they are never enlarged to more than twice their size.
        public var smallestPhoto: (width: Int, height: Int) { ((width + 1) / 2, (height + 1) / 2) }

        /// The longest panel, what the largest image that can be read allows.
        private static let longestSide = 8192

        /// Checks every option. Throws ``OptionError`` for the first that is out of range.
        package func checkedKinds() throws(OptionError) -> [EditKind] {
            guard count >= 1 else { throw OptionError("count", expected: "at least 1 pair", found: "\(count)") }
            // Numbers in names have six digits.
            guard count <= 1_000_000 else {
                throw OptionError("count", expected: "at most 1000000 pairs", found: "\(count)")
            }
            for (name, side) in [("width", width), ("height", height)] {
                guard side > 0, side % DiptychGeometry.tokenSide == 0, side <= Self.longestSide else {
                    throw OptionError(
                        name, expected: "a multiple of \(DiptychGeometry.tokenSide) from 16 to \(Self.longestSide)",
                        found: "\(side)")
                }
            }
            guard !kinds.isEmpty else { throw OptionError("kinds", expected: "at least one kind", found: "none") }
            var chosen: [EditKind] = []
            for name in kinds {
                guard let kind = EditKind.all.first(where: { $0.name == name }) else {
                    let names = EditKind.all.map(\.name)
                    let nearest = nearestName(to: name, among: names)
                    throw OptionError(
                        "kinds", expected: nearest == nil ? names.joined(separator: ", ") : "a kind of edit",
                        found: "'\(name)'", nearest: nearest)
                }
                if !chosen.contains(kind) { chosen.append(kind) }
            }
            return chosen
        }
    }
}

/// An option out of its range.
public struct OptionError: Error, CustomStringConvertible, Equatable {
    /// The option.
    public let option: String
    /// What it may be.
    public let expected: String
    /// What it is.
    public let found: String
    /// A valid value close to that.
    public let nearest: String?

    init(_ option: String, expected: String, found: String, nearest: String? = nil) {
        self.option = option
        self.expected = expected
        self.found = found
        self.nearest = nearest
    }

    /// `width: expected …, found … (did you mean …?)`
    public var description: String {
        "\(option): expected \(expected), found \(found)" + (nearest.map { " (did you mean '\($0)'?)" } ?? "")
    }
}
