public import TensorCore

extension Editor.Progress {
    /// The same as every long work tells it, for an edit of so many steps.
    public func work(of steps: Int) -> WorkProgress {
        var progress = WorkProgress("steps", total: steps)
        switch self {
        case .encodingText: progress.stage = "encoding the text"
        case .encodingImage: progress.stage = "encoding the picture"
        case .sampled(let done, _): progress.done = done
        case .decoding: progress.stage = "decoding the picture"
        }
        return progress
    }
}
