/// The candidate with the fewest single-character edits from `name`, if it is near enough to be a likely misspelling.
///
/// Names of more than 200 bytes, which nobody types, have none, and of very many candidates only the first are looked at: a
/// file decides how many there are and how long.
public func nearestName(to name: String, among candidates: some Sequence<String>) -> String? {
    let (longest, mostCandidates, mostWork) = (200, 20_000, 20_000_000)
    guard name.utf8.count <= longest else { return nil }
    let letters = Array(name.lowercased())
    let most = max(2, letters.count / 3)
    var best: (name: String, distance: Int)?
    var work = 0
    for candidate in candidates.prefix(mostCandidates) where candidate.utf8.count <= longest {
        let others = Array(candidate.lowercased())
        // Each letter more is an edit.
        guard abs(others.count - letters.count) <= min(most, (best?.distance ?? .max) - 1) else { continue }
        work += letters.count * others.count
        if work > mostWork { break }
        let distance = editDistance(letters, others)
        if distance < best?.distance ?? Int.max { best = (candidate, distance) }
    }
    guard let best, best.distance <= most else { return nil }
    return best.name
}

/// Levenshtein's distance in which an exchange of two neighbours counts as one edit.
private func editDistance(_ a: [Character], _ b: [Character]) -> Int {
    var beforeLast = [Int](repeating: 0, count: b.count + 1)
    var last = Array(0...b.count)
    for i in 0..<a.count {
        var row = [Int](repeating: i + 1, count: b.count + 1)
        for j in 0..<b.count {
            row[j + 1] = min(last[j + 1] + 1, row[j] + 1, last[j] + (a[i] == b[j] ? 0 : 1))
            if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { row[j + 1] = min(row[j + 1], beforeLast[j - 1] + 1) }
        }
        (beforeLast, last) = (last, row)
    }
    return last[b.count]
}
