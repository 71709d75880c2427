import InContextEdit

extension SceneGenerator {
    /// What to make.
    public struct Options: Sendable, Hashable, Codable {
        /// The number of pairs, at least 1.
        public var count: Int
        /// The side of a panel in pixels, a multiple of 16.
        public var size: Int
        /// What the world is composed of, 1 … 3.
        public var level: Int
        /// What all that is random depends on.
        public var seed: UInt64
        /// The part of the world; the parts share no scene.
        public var split: SceneSplit
        /// The kinds of edit, which take turns.
        public var tasks: [SceneTask]
        /// The folder of photographs that level 3 needs.
        public var photos: String?

        /// Collects the options.
        public init(
            count: Int, size: Int = 64, level: Int = 1, seed: UInt64 = 0, split: SceneSplit = .train,
            tasks: [SceneTask] = SceneTask.allCases, photos: String? = nil
        ) {
            self.count = count
            self.size = size
            self.level = level
            self.seed = seed
            self.split = split
            self.tasks = tasks
            self.photos = photos
        }

        /// Throws ``OptionError`` for the first option that is out of range.
        package func check() throws(OptionError) {
            guard 1...100_000_000 ~= count else {
                throw OptionError("count", expected: "1 to 100000000 pairs", found: "\(count)")
            }
            guard 32...2048 ~= size, size % DiptychGeometry.tokenSide == 0 else {
                throw OptionError(
                    "size", expected: "a multiple of \(DiptychGeometry.tokenSide) from 32 to 2048", found: "\(size)")
            }
            guard 1...3 ~= level else { throw OptionError("level", expected: "1, 2 or 3", found: "\(level)") }
            guard !tasks.isEmpty else {
                throw OptionError("tasks", expected: "at least one kind of edit", found: "none")
            }
            if level == 3, photos == nil {
                throw OptionError("photos", expected: "a folder of photographs for level 3", found: "none")
            }
            if level < 3, photos != nil {
                throw OptionError("photos", expected: "none below level 3", found: "a folder")
            }
        }
    }
}
