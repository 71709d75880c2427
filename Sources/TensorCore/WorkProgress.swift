/// How far a long piece of work is: what every function that takes long tells its caller.
///
/// A program shows it as it likes, a bar, a log line, a page; the libraries print nothing.
///
/// ```swift
/// let check = try DatasetCheck(path: "pairs") { progress in
///     print("\(progress.done) of \(progress.total) \(progress.unit)")
/// }
/// ```
public struct WorkProgress: Sendable, Equatable {
    /// A number that goes with the state, such as the loss of a step.
    public struct Figure: Sendable, Equatable {
        /// What it is, in a word.
        public var name: String
        /// Its value.
        public var value: Double

        /// Names a value.
        public init(_ name: String, _ value: Double) { (self.name, self.value) = (name, value) }
    }

    /// What is counted, in the plural: `pairs`, `tensors`, `steps`.
    public var unit: String
    /// How many are done.
    public var done: Int
    /// How many there are in all.
    public var total: Int
    /// How many of those done were there before this work began, as in a run that is resumed.
    public var found: Int
    /// What the latest one says of itself, the most telling first.
    public var figures: [Figure]
    /// Work besides what is counted, before the first or after the last: `encoding the text`.
    public var stage: String?

    /// A state of work on `total` things of a name in the plural.
    public init(
        _ unit: String, done: Int = 0, total: Int, found: Int = 0, figures: [Figure] = [], stage: String? = nil
    ) {
        self.unit = unit
        self.done = done
        self.total = total
        self.found = found
        self.figures = figures
        self.stage = stage
    }
}
