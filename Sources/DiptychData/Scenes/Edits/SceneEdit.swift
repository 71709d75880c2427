/// The ten kinds of edit.
public enum SceneTask: String, Sendable, Codable, CaseIterable {
    case add, remove, swap, recolor, resize, move, background, weather, style, tone

    /// Whether the edit concerns one object and leaves the rest as it is.
    public var isLocal: Bool {
        switch self {
        case .add, .remove, .swap, .recolor, .resize, .move: true
        case .background, .weather, .style, .tone: false
        }
    }
}

/// An edit of a scene with its exact result: the goal that ``SceneOracle`` judges by.
public struct SceneEdit: Sendable, Hashable, Codable {
    /// The kind of edit.
    public let task: SceneTask
    /// The scene before.
    public let source: Scene
    /// The scene after.
    public let target: Scene
    /// The number of the object concerned: among the target's objects when it was added, otherwise among the source's.
    public let object: Int?

    /// Joins the parts; an edit of one object names it.
    public init(_ task: SceneTask, from source: Scene, to target: Scene, object: Int? = nil) {
        precondition(task.isLocal == (object != nil), "\(task) of object \(object.map(String.init) ?? "none")")
        self.task = task
        self.source = source
        self.target = target
        self.object = object
    }

    /// The object concerned before the edit; nil when it was added or the edit concerns the whole.
    public var before: SceneObject? { task == .add ? nil : object.map { source.objects[$0] } }

    /// The object concerned after the edit; nil when it was removed or the edit concerns the whole.
    public var after: SceneObject? { task == .remove ? nil : object.map { target.objects[$0] } }
}
