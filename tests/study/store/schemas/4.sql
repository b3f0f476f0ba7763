PRAGMA application_id = 1114786935;
PRAGMA user_version = 4;
BEGIN TRANSACTION;
CREATE TABLE answer (
  id INTEGER PRIMARY KEY,
  item TEXT NOT NULL,
  worker TEXT NOT NULL,
  "short" TEXT NOT NULL CHECK (length("short") <= 100),
  "long" TEXT NOT NULL CHECK (length("long") <= 500),
  "ease" INTEGER NOT NULL CHECK ("ease" BETWEEN 1 AND 5),
  "confidence" INTEGER NOT NULL CHECK ("confidence" BETWEEN 1 AND 5),
  "useful" TEXT NOT NULL CHECK ("useful" IN ('B', 'C', 'both', 'none')),
  submitted_at TEXT NOT NULL CHECK (submitted_at GLOB '????-??-??T??:??:??.???Z'),
  edited_at TEXT CHECK (edited_at GLOB '????-??-??T??:??:??.???Z'),
  late INTEGER NOT NULL CHECK (late IN (0, 1)),
  passed INTEGER CHECK (passed IN (0, 1)),
  seconds REAL NOT NULL CHECK (seconds >= 0),
  elapsed_seconds REAL CHECK (elapsed_seconds >= 0),
  token TEXT UNIQUE,
  UNIQUE (item, worker),
  FOREIGN KEY (item, worker) REFERENCES assignment (item, worker) ON UPDATE CASCADE
) STRICT;
INSERT INTO "answer" VALUES(1,'practice:1','5f3c0a1b2c3d4e5f60718293','striped fur','''quoted'' =1+1 0',4,5,'B','2025-03-01T12:00:35.000Z',NULL,0,NULL,35.0,35.0,'claim-1058e4a43cab7c4870fd6eca37a280e3');
INSERT INTO "answer" VALUES(2,'label:tiger:401','5f3c0a1b2c3d4e5f60718293','striped fur','''quoted'' =1+1 1',4,5,'B','2025-03-01T12:01:10.000Z',NULL,0,NULL,35.0,35.0,'claim-6539e67876cc313075a76bf3e002911d');
INSERT INTO "answer" VALUES(3,'attention:1','5f3c0a1b2c3d4e5f60718293','striped fur','''quoted'' =1+1 2',4,5,'B','2025-03-01T12:01:45.000Z',NULL,0,0,35.0,35.0,'claim-a4ecf837cc5ec33a6a2362a8b93fd7be');
INSERT INTO "answer" VALUES(4,'practice:1','anna-1234','striped fur','''quoted'' =1+1 0',4,5,'B','2025-03-01T12:02:20.000Z',NULL,0,NULL,35.0,35.0,'claim-dd8ef6b20394b43ea9dc7fd31714e195');
INSERT INTO "answer" VALUES(5,'label:tiger:5','anna-1234','striped fur','''quoted'' =1+1 1',4,5,'B','2025-03-01T12:02:55.000Z',NULL,0,NULL,35.0,35.0,'claim-fa1913376dc465d9a2fd998ff72bc881');
INSERT INTO "answer" VALUES(6,'attention:1','anna-1234','striped fur','black stripes on orange fur',2,5,'B','2025-03-01T12:03:30.000Z','2025-03-01T12:05:15.000Z',0,0,35.0,35.0,'claim-c490c15e62790458cdb0298887bc0e46');
INSERT INTO "answer" VALUES(7,'practice:1','60b1c2d3e4f5061728394a5b','striped fur','''quoted'' =1+1 0',4,5,'B','2025-03-01T12:04:05.000Z',NULL,0,NULL,35.0,35.0,'claim-ae2f6d8af3001ec2ed859bafd99e2041');
INSERT INTO "answer" VALUES(8,'label:tiger:17','60b1c2d3e4f5061728394a5b','striped fur','''quoted'' =1+1 1',4,5,'B','2025-03-01T12:04:40.000Z',NULL,0,NULL,35.0,35.0,'claim-93ace8e9c41f3d109d868239bf0e9e83');
INSERT INTO "answer" VALUES(9,'attention:1','60b1c2d3e4f5061728394a5b','striped fur','''quoted'' =1+1 2',4,5,'B','2025-03-01T12:05:15.000Z',NULL,0,0,35.0,35.0,'claim-09f5b3354fefa71c022345a8f148a21d');
CREATE TABLE assignment (
  id INTEGER PRIMARY KEY,
  item TEXT NOT NULL REFERENCES item (id),
  worker TEXT NOT NULL REFERENCES worker (id) ON UPDATE CASCADE,
  state TEXT NOT NULL CHECK (state IN ('reserved', 'accepted', 'surplus', 'discarded', 'expired', 'returned', 'withdrawn')),
  token TEXT NOT NULL UNIQUE,
  shown_at TEXT NOT NULL CHECK (shown_at GLOB '????-??-??T??:??:??.???Z'),
  active_at TEXT NOT NULL CHECK (active_at GLOB '????-??-??T??:??:??.???Z'),
  deadline REAL,
  shown_ticks REAL,
  active_ticks REAL,
  active_seconds REAL NOT NULL DEFAULT 0 CHECK (active_seconds >= 0),
  draft TEXT CHECK (draft IS NULL OR json_valid(draft)),
  payable INTEGER NOT NULL DEFAULT 0 CHECK (payable IN (0, 1)),
  visit TEXT CHECK (length(visit) BETWEEN 1 AND 200), rejected INTEGER NOT NULL DEFAULT 0 CHECK (rejected IN (0, 1)),
  UNIQUE (item, worker),
  CHECK ((state = 'reserved') = (deadline IS NOT NULL))
) STRICT;
INSERT INTO "assignment" VALUES(1,'practice:1','5f3c0a1b2c3d4e5f60718293','accepted','claim-1058e4a43cab7c4870fd6eca37a280e3','2025-03-01T12:00:00.000Z','2025-03-01T12:00:35.000Z',NULL,5000.0,5035.0,35.0,NULL,0,'s1',0);
INSERT INTO "assignment" VALUES(2,'label:tiger:401','5f3c0a1b2c3d4e5f60718293','accepted','claim-6539e67876cc313075a76bf3e002911d','2025-03-01T12:00:35.000Z','2025-03-01T12:01:10.000Z',NULL,5035.0,5070.0,35.0,NULL,1,'s1',0);
INSERT INTO "assignment" VALUES(3,'attention:1','5f3c0a1b2c3d4e5f60718293','accepted','claim-a4ecf837cc5ec33a6a2362a8b93fd7be','2025-03-01T12:01:10.000Z','2025-03-01T12:01:45.000Z',NULL,5070.0,5105.0,35.0,NULL,1,'s1',0);
INSERT INTO "assignment" VALUES(4,'practice:1','anna-1234','accepted','claim-dd8ef6b20394b43ea9dc7fd31714e195','2025-03-01T12:01:45.000Z','2025-03-01T12:02:20.000Z',NULL,5105.0,5140.0,35.0,NULL,0,NULL,0);
INSERT INTO "assignment" VALUES(5,'label:tiger:5','anna-1234','accepted','claim-fa1913376dc465d9a2fd998ff72bc881','2025-03-01T12:02:20.000Z','2025-03-01T12:02:55.000Z',NULL,5140.0,5175.0,35.0,NULL,1,NULL,0);
INSERT INTO "assignment" VALUES(6,'attention:1','anna-1234','accepted','claim-c490c15e62790458cdb0298887bc0e46','2025-03-01T12:02:55.000Z','2025-03-01T12:05:15.000Z',NULL,5175.0,5315.0,35.0,NULL,1,NULL,0);
INSERT INTO "assignment" VALUES(7,'practice:1','60b1c2d3e4f5061728394a5b','discarded','claim-ae2f6d8af3001ec2ed859bafd99e2041','2025-03-01T12:03:30.000Z','2025-03-01T12:04:05.000Z',NULL,5210.0,5245.0,35.0,NULL,0,'s1',0);
INSERT INTO "assignment" VALUES(8,'label:tiger:17','60b1c2d3e4f5061728394a5b','discarded','claim-93ace8e9c41f3d109d868239bf0e9e83','2025-03-01T12:04:05.000Z','2025-03-01T12:04:40.000Z',NULL,5245.0,5280.0,35.0,NULL,1,'s1',0);
INSERT INTO "assignment" VALUES(9,'attention:1','60b1c2d3e4f5061728394a5b','discarded','claim-09f5b3354fefa71c022345a8f148a21d','2025-03-01T12:04:40.000Z','2025-03-01T12:05:15.000Z',NULL,5280.0,5315.0,35.0,NULL,1,'s1',0);
INSERT INTO "assignment" VALUES(10,'label:tiger:17','anna-1234','reserved','claim-950be75811ffa46e979e63e9481a73d6','2025-03-01T12:05:15.000Z','2025-03-01T12:05:15.000Z',7115.0,5315.0,5315.0,0.0,NULL,0,NULL,0);
INSERT INTO "assignment" VALUES(11,'practice:1','leaver','withdrawn','claim-0e61642b285a677d7dc572f50c4675d6','2025-03-01T12:05:15.000Z','2025-03-01T12:05:15.000Z',NULL,NULL,NULL,0.0,NULL,0,NULL,0);
CREATE TABLE "event" (
  id INTEGER PRIMARY KEY,
  at TEXT NOT NULL CHECK (at GLOB '????-??-??T??:??:??.???Z'),
  kind TEXT NOT NULL CHECK (kind IN ('joined', 'shown', 'started', 'active', 'draft', 'submitted', 'edited', 'reported', 'expired', 'returned', 'finished', 'accepted', 'discarded', 'blocked', 'reopened', 'withdrawn', 'configured', 'backup', 'restored', 'payment', 'rejected', 'flagged', 'quizzed', 'interview')),
  worker TEXT REFERENCES worker (id) ON UPDATE CASCADE,
  item TEXT REFERENCES item (id),
  seconds REAL CHECK (seconds >= 0),
  data TEXT CHECK (data IS NULL OR json_valid(data))
) STRICT;
INSERT INTO "event" VALUES(1,'2025-03-01T12:00:00.000Z','joined','5f3c0a1b2c3d4e5f60718293',NULL,NULL,NULL);
INSERT INTO "event" VALUES(2,'2025-03-01T12:00:00.000Z','shown','5f3c0a1b2c3d4e5f60718293','practice:1',NULL,NULL);
INSERT INTO "event" VALUES(3,'2025-03-01T12:00:20.000Z','started','5f3c0a1b2c3d4e5f60718293','practice:1',20.0,NULL);
INSERT INTO "event" VALUES(4,'2025-03-01T12:00:20.000Z','draft','5f3c0a1b2c3d4e5f60718293','practice:1',0.0,NULL);
INSERT INTO "event" VALUES(5,'2025-03-01T12:00:35.000Z','submitted','5f3c0a1b2c3d4e5f60718293','practice:1',15.0,NULL);
INSERT INTO "event" VALUES(6,'2025-03-01T12:00:35.000Z','shown','5f3c0a1b2c3d4e5f60718293','label:tiger:401',NULL,NULL);
INSERT INTO "event" VALUES(7,'2025-03-01T12:00:55.000Z','started','5f3c0a1b2c3d4e5f60718293','label:tiger:401',20.0,NULL);
INSERT INTO "event" VALUES(8,'2025-03-01T12:00:55.000Z','draft','5f3c0a1b2c3d4e5f60718293','label:tiger:401',0.0,NULL);
INSERT INTO "event" VALUES(9,'2025-03-01T12:01:10.000Z','submitted','5f3c0a1b2c3d4e5f60718293','label:tiger:401',15.0,NULL);
INSERT INTO "event" VALUES(10,'2025-03-01T12:01:10.000Z','shown','5f3c0a1b2c3d4e5f60718293','attention:1',NULL,NULL);
INSERT INTO "event" VALUES(11,'2025-03-01T12:01:30.000Z','started','5f3c0a1b2c3d4e5f60718293','attention:1',20.0,NULL);
INSERT INTO "event" VALUES(12,'2025-03-01T12:01:30.000Z','draft','5f3c0a1b2c3d4e5f60718293','attention:1',0.0,NULL);
INSERT INTO "event" VALUES(13,'2025-03-01T12:01:45.000Z','submitted','5f3c0a1b2c3d4e5f60718293','attention:1',15.0,NULL);
INSERT INTO "event" VALUES(14,'2025-03-01T12:01:45.000Z','joined','anna-1234',NULL,NULL,NULL);
INSERT INTO "event" VALUES(15,'2025-03-01T12:01:45.000Z','shown','anna-1234','practice:1',NULL,NULL);
INSERT INTO "event" VALUES(16,'2025-03-01T12:02:05.000Z','started','anna-1234','practice:1',20.0,NULL);
INSERT INTO "event" VALUES(17,'2025-03-01T12:02:05.000Z','draft','anna-1234','practice:1',0.0,NULL);
INSERT INTO "event" VALUES(18,'2025-03-01T12:02:20.000Z','submitted','anna-1234','practice:1',15.0,NULL);
INSERT INTO "event" VALUES(19,'2025-03-01T12:02:20.000Z','shown','anna-1234','label:tiger:5',NULL,NULL);
INSERT INTO "event" VALUES(20,'2025-03-01T12:02:40.000Z','started','anna-1234','label:tiger:5',20.0,NULL);
INSERT INTO "event" VALUES(21,'2025-03-01T12:02:40.000Z','draft','anna-1234','label:tiger:5',0.0,NULL);
INSERT INTO "event" VALUES(22,'2025-03-01T12:02:55.000Z','submitted','anna-1234','label:tiger:5',15.0,NULL);
INSERT INTO "event" VALUES(23,'2025-03-01T12:02:55.000Z','shown','anna-1234','attention:1',NULL,NULL);
INSERT INTO "event" VALUES(24,'2025-03-01T12:03:15.000Z','started','anna-1234','attention:1',20.0,NULL);
INSERT INTO "event" VALUES(25,'2025-03-01T12:03:15.000Z','draft','anna-1234','attention:1',0.0,NULL);
INSERT INTO "event" VALUES(26,'2025-03-01T12:03:30.000Z','submitted','anna-1234','attention:1',15.0,NULL);
INSERT INTO "event" VALUES(27,'2025-03-01T12:03:30.000Z','joined','60b1c2d3e4f5061728394a5b',NULL,NULL,NULL);
INSERT INTO "event" VALUES(28,'2025-03-01T12:03:30.000Z','shown','60b1c2d3e4f5061728394a5b','practice:1',NULL,NULL);
INSERT INTO "event" VALUES(29,'2025-03-01T12:03:50.000Z','started','60b1c2d3e4f5061728394a5b','practice:1',20.0,NULL);
INSERT INTO "event" VALUES(30,'2025-03-01T12:03:50.000Z','draft','60b1c2d3e4f5061728394a5b','practice:1',0.0,NULL);
INSERT INTO "event" VALUES(31,'2025-03-01T12:04:05.000Z','submitted','60b1c2d3e4f5061728394a5b','practice:1',15.0,NULL);
INSERT INTO "event" VALUES(32,'2025-03-01T12:04:05.000Z','shown','60b1c2d3e4f5061728394a5b','label:tiger:17',NULL,NULL);
INSERT INTO "event" VALUES(33,'2025-03-01T12:04:25.000Z','started','60b1c2d3e4f5061728394a5b','label:tiger:17',20.0,NULL);
INSERT INTO "event" VALUES(34,'2025-03-01T12:04:25.000Z','draft','60b1c2d3e4f5061728394a5b','label:tiger:17',0.0,NULL);
INSERT INTO "event" VALUES(35,'2025-03-01T12:04:40.000Z','submitted','60b1c2d3e4f5061728394a5b','label:tiger:17',15.0,NULL);
INSERT INTO "event" VALUES(36,'2025-03-01T12:04:40.000Z','shown','60b1c2d3e4f5061728394a5b','attention:1',NULL,NULL);
INSERT INTO "event" VALUES(37,'2025-03-01T12:05:00.000Z','started','60b1c2d3e4f5061728394a5b','attention:1',20.0,NULL);
INSERT INTO "event" VALUES(38,'2025-03-01T12:05:00.000Z','draft','60b1c2d3e4f5061728394a5b','attention:1',0.0,NULL);
INSERT INTO "event" VALUES(39,'2025-03-01T12:05:15.000Z','submitted','60b1c2d3e4f5061728394a5b','attention:1',15.0,NULL);
INSERT INTO "event" VALUES(40,'2025-03-01T12:05:15.000Z','edited','anna-1234','attention:1',105.0,'{"before": {"long": "''quoted'' =1+1 2", "ease": 4}}');
INSERT INTO "event" VALUES(41,'2025-03-01T12:05:15.000Z','finished','5f3c0a1b2c3d4e5f60718293',NULL,NULL,'{"outcome":"complete","visit":"s1","exit":"complete"}');
INSERT INTO "event" VALUES(42,'2025-03-01T12:05:15.000Z','shown','anna-1234','label:tiger:17',NULL,NULL);
INSERT INTO "event" VALUES(43,'2025-03-01T12:05:15.000Z','reported','anna-1234','attention:1',0.0,'{"text": "blurred"}');
INSERT INTO "event" VALUES(44,'2025-03-01T12:05:15.000Z','blocked','60b1c2d3e4f5061728394a5b',NULL,NULL,'{"reason": "random", "discard": true}');
INSERT INTO "event" VALUES(45,'2025-03-01T12:05:15.000Z','discarded','60b1c2d3e4f5061728394a5b','practice:1',NULL,NULL);
INSERT INTO "event" VALUES(46,'2025-03-01T12:05:15.000Z','discarded','60b1c2d3e4f5061728394a5b','label:tiger:17',NULL,NULL);
INSERT INTO "event" VALUES(47,'2025-03-01T12:05:15.000Z','discarded','60b1c2d3e4f5061728394a5b','attention:1',NULL,NULL);
INSERT INTO "event" VALUES(48,'2025-03-01T12:05:15.000Z','withdrawn','leaver',NULL,NULL,NULL);
INSERT INTO "event" VALUES(49,'2025-03-02T12:00:00.000Z','backup',NULL,NULL,NULL,'{"path": "study.sqlite.backups/study-20250302T120000Z-before-migration.sqlite"}');
INSERT INTO "event" VALUES(50,'2025-03-02T12:00:00.000Z','interview',NULL,NULL,NULL,'{"participant": null, "did": "created", "groupings": 2, "easy": ["label:tiger"], "rule": "By hand."}');
INSERT INTO "event" VALUES(51,'2025-03-02T12:00:00.000Z','interview',NULL,NULL,NULL,'{"participant": "P1", "did": "invited", "guided": true}');
INSERT INTO "event" VALUES(53,'2025-03-02T12:00:00.000Z','interview',NULL,NULL,NULL,'{"participant": "P3", "did": "invited", "guided": true}');
INSERT INTO "event" VALUES(54,'2025-03-02T12:00:00.000Z','interview',NULL,NULL,NULL,'{"participant": "P1", "did": "registered", "role": "researcher", "experience": "5-10"}');
INSERT INTO "event" VALUES(55,'2025-03-02T12:00:00.000Z','interview',NULL,NULL,NULL,'{"participant": "P1", "did": "assigned", "seed": 3, "first": "label:tiger", "first_out_of": 1, "second": "label:cat", "second_out_of": 1}');
INSERT INTO "event" VALUES(56,'2025-03-02T12:00:00.000Z','interview',NULL,NULL,0.0,'{"participant": "P1", "did": "started", "part": "introduction"}');
INSERT INTO "event" VALUES(60,'2025-03-02T12:02:03.000Z','interview',NULL,NULL,123.0,'{"participant": "P1", "did": "part", "part": "first", "from": "introduction"}');
INSERT INTO "event" VALUES(61,'2025-03-02T12:02:03.000Z','interview',NULL,NULL,123.0,'{"participant": "P1", "did": "answered", "grouping": "label:tiger", "feature": 3, "questions": ["describes", "description", "difficulties", "difficulty", "necessity", "reason"]}');
INSERT INTO "event" VALUES(62,'2025-03-02T12:02:03.000Z','interview',NULL,NULL,123.0,'{"participant": "P1", "did": "answered", "grouping": "label:tiger", "questions": ["actions", "text"]}');
INSERT INTO "event" VALUES(63,'2025-03-02T12:02:03.000Z','interview',NULL,NULL,123.0,'{"participant": "P1", "did": "quoted", "quote": 1, "author": "interviewer"}');
INSERT INTO "event" VALUES(64,'2025-03-02T12:02:03.000Z','interview',NULL,NULL,NULL,'{"participant": "P1", "did": "coded", "what": "actions", "grouping": "label:tiger", "coder": "anna"}');
INSERT INTO "event" VALUES(65,'2025-03-02T12:02:03.000Z','interview',NULL,NULL,123.0,'{"participant": "P1", "did": "surveyed"}');
INSERT INTO "event" VALUES(66,'2025-03-02T12:02:03.000Z','interview',NULL,NULL,123.0,'{"participant": "P1", "did": "finished"}');
INSERT INTO "event" VALUES(67,'2025-03-02T12:02:03.000Z','interview',NULL,NULL,NULL,'{"participant": "P2", "did": "withdrawn"}');
CREATE TABLE interview_action_answer (
  participant INTEGER NOT NULL,
  grouping TEXT NOT NULL,
  actions TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(actions)),
  text TEXT,
  answered_at TEXT NOT NULL CHECK (answered_at GLOB '????-??-??T??:??:??.???Z'),
  edited_at TEXT CHECK (edited_at GLOB '????-??-??T??:??:??.???Z'),
  PRIMARY KEY (participant, grouping),
  FOREIGN KEY (participant, grouping) REFERENCES interview_assignment (participant, grouping)
) STRICT;
INSERT INTO "interview_action_answer" VALUES(1,'label:tiger','["data_collection", "labels"]','more photos','2025-03-02T12:02:03.000Z',NULL);
CREATE TABLE interview_assignment (
  participant INTEGER NOT NULL REFERENCES interview_participant (id),
  place INTEGER NOT NULL CHECK (place IN (1, 2)),
  grouping TEXT NOT NULL REFERENCES interview_grouping (id),
  PRIMARY KEY (participant, place),
  UNIQUE (participant, grouping)
) STRICT;
INSERT INTO "interview_assignment" VALUES(1,1,'label:tiger');
INSERT INTO "interview_assignment" VALUES(1,2,'label:cat');
CREATE TABLE interview_coding (
  what TEXT NOT NULL CHECK (what IN ('actions', 'difficulties')),
  participant INTEGER NOT NULL REFERENCES interview_participant (id),
  grouping TEXT NOT NULL REFERENCES interview_grouping (id),
  feature INTEGER NOT NULL,
  coder TEXT NOT NULL CHECK (length(coder) BETWEEN 1 AND 200),
  codes TEXT NOT NULL CHECK (json_valid(codes)),
  at TEXT NOT NULL CHECK (at GLOB '????-??-??T??:??:??.???Z'),
  PRIMARY KEY (what, participant, grouping, feature, coder)
) STRICT;
INSERT INTO "interview_coding" VALUES('actions',1,'label:tiger',-1,'anna','["data_collection"]','2025-03-02T12:02:03.000Z');
CREATE TABLE interview_feature_answer (
  participant INTEGER NOT NULL,
  grouping TEXT NOT NULL,
  feature INTEGER NOT NULL CHECK (feature >= 0),
  describes TEXT CHECK (describes IN ('yes', 'partly', 'no')),
  description TEXT,
  difficulties TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(difficulties)),
  difficulty TEXT,
  necessity TEXT CHECK (necessity IN ('necessary', 'spurious', 'unsure')),
  reason TEXT,
  answered_at TEXT NOT NULL CHECK (answered_at GLOB '????-??-??T??:??:??.???Z'),
  edited_at TEXT CHECK (edited_at GLOB '????-??-??T??:??:??.???Z'),
  PRIMARY KEY (participant, grouping, feature),
  FOREIGN KEY (participant, grouping) REFERENCES interview_assignment (participant, grouping)
) STRICT;
INSERT INTO "interview_feature_answer" VALUES(1,'label:tiger',3,'partly','''quoted'' =1+1 é','["several_concepts"]','sky and wires','spurious','hair','2025-03-02T12:02:03.000Z',NULL);
CREATE TABLE interview_grouping (
  id TEXT NOT NULL PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 200),
  position INTEGER NOT NULL UNIQUE,
  easy INTEGER NOT NULL CHECK (easy IN (0, 1)),
  data TEXT NOT NULL CHECK (json_valid(data))
) STRICT;
INSERT INTO "interview_grouping" VALUES('label:tiger',0,1,'{"class_name": "tiger", "features": [3, 5]}');
INSERT INTO "interview_grouping" VALUES('label:cat',1,0,'{"class_name": "cat", "features": [7]}');
CREATE TABLE interview_opinion (
  token TEXT NOT NULL PRIMARY KEY,
  answers TEXT NOT NULL CHECK (json_valid(answers)),
  sent INTEGER NOT NULL DEFAULT 0 CHECK (sent IN (0, 1)),
  released INTEGER NOT NULL DEFAULT 0 CHECK (released IN (0, 1) AND released <= sent)
) STRICT, WITHOUT ROWID;
INSERT INTO "interview_opinion" VALUES('nm27nuioof7gi5ipzyekimrk','{"useful": 5}',1,0);
CREATE TABLE interview_participant (
  id INTEGER PRIMARY KEY,
  code TEXT UNIQUE,
  state TEXT NOT NULL DEFAULT 'invited' CHECK (state IN ('invited', 'registered', 'running', 'finished', 'screened_out', 'withdrawn')),
  guided INTEGER NOT NULL CHECK (guided IN (0, 1)),
  simulated INTEGER NOT NULL DEFAULT 0 CHECK (simulated IN (0, 1)),
  invited_at TEXT NOT NULL CHECK (invited_at GLOB '????-??-??T??:??:??.???Z'),
  consented_at TEXT CHECK (consented_at GLOB '????-??-??T??:??:??.???Z'),
  role TEXT,
  experience TEXT,
  plan TEXT CHECK (plan IS NULL OR json_valid(plan)),
  part TEXT,
  looks_at TEXT CHECK (looks_at IS NULL OR json_valid(looks_at)),
  elapsed REAL NOT NULL DEFAULT 0 CHECK (elapsed >= 0),
  running_at TEXT CHECK (running_at GLOB '????-??-??T??:??:??.???Z'),
  running_ticks REAL,
  running_boot TEXT,
  surveyed INTEGER NOT NULL DEFAULT 0 CHECK (surveyed IN (0, 1)),
  finished_at TEXT CHECK (finished_at GLOB '????-??-??T??:??:??.???Z'),
  CHECK ((running_at IS NULL) = (running_ticks IS NULL)),
  CHECK (running_at IS NULL OR state = 'running')
) STRICT;
INSERT INTO "interview_participant" VALUES(1,'anna-code-1','finished',1,0,'2025-03-02T12:00:00.000Z','2025-03-02T12:00:00.000Z','researcher','5-10','[["introduction", 10.0], ["scenario", 5.0], ["first", 20.0], ["second", 18.0], ["survey", 7.0]]','first',NULL,123.0,NULL,NULL,NULL,1,'2025-03-02T12:02:03.000Z');
INSERT INTO "interview_participant" VALUES(2,NULL,'withdrawn',0,0,'2025-03-02T12:00:00.000Z',NULL,NULL,NULL,NULL,NULL,NULL,0.0,NULL,NULL,NULL,0,NULL);
INSERT INTO "interview_participant" VALUES(3,'late-code-3','invited',1,0,'2025-03-02T12:00:00.000Z',NULL,NULL,NULL,NULL,NULL,NULL,0.0,NULL,NULL,NULL,0,NULL);
CREATE TABLE interview_quote (
  id INTEGER PRIMARY KEY,
  participant INTEGER NOT NULL REFERENCES interview_participant (id),
  at TEXT NOT NULL CHECK (at GLOB '????-??-??T??:??:??.???Z'),
  seconds REAL NOT NULL CHECK (seconds >= 0),
  author TEXT NOT NULL CHECK (author IN ('interviewer', 'participant')),
  part TEXT,
  grouping TEXT REFERENCES interview_grouping (id),
  theme TEXT,
  text TEXT NOT NULL
) STRICT;
INSERT INTO "interview_quote" VALUES(1,1,'2025-03-02T12:02:03.000Z',123.0,'interviewer','first','label:tiger','spurious','Looks like a hair detector.');
CREATE TABLE item (
  id TEXT NOT NULL PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 200),
  position INTEGER NOT NULL UNIQUE,
  kind TEXT NOT NULL CHECK (kind IN ('item', 'practice', 'gold', 'attention')),
  data TEXT NOT NULL CHECK (json_valid(data)),
  expected TEXT CHECK (expected IS NULL OR json_valid(expected)),
  wanted INTEGER CHECK (wanted >= 1),
  filled INTEGER NOT NULL DEFAULT 0 CHECK (filled >= 0 AND (wanted IS NULL OR filled <= wanted)),
  tie INTEGER NOT NULL
) STRICT;
INSERT INTO "item" VALUES('label:tiger:17',0,'item','{"group": "label:tiger", "grouping": "label", "class_name": "tiger", "feature": 17, "tier": "top"}',NULL,2,1,1496086967);
INSERT INTO "item" VALUES('label:tiger:401',1,'item','{"group": "label:tiger", "grouping": "label", "class_name": "tiger", "feature": 401, "tier": "top"}',NULL,2,1,378568388);
INSERT INTO "item" VALUES('label:tiger:5',2,'item','{"group": "label:tiger", "grouping": "label", "class_name": "tiger", "feature": 5, "tier": "top"}',NULL,2,1,465657220);
INSERT INTO "item" VALUES('practice:1',3,'practice','{"feedback": "Well done."}',NULL,NULL,2,1462451621);
INSERT INTO "item" VALUES('attention:1',4,'attention','{"notice": "Choose 1."}','{"ease": 1}',NULL,2,1627152293);
CREATE TABLE payment (
  id INTEGER PRIMARY KEY,
  file INTEGER NOT NULL REFERENCES payment_file (id),
  worker TEXT NOT NULL REFERENCES worker (id) ON UPDATE CASCADE,
  cents INTEGER NOT NULL CHECK (cents > 0),
  bonus INTEGER NOT NULL CHECK (bonus >= 0),
  items TEXT NOT NULL CHECK (json_valid(items)),
  visit TEXT,
  token TEXT NOT NULL UNIQUE,
  UNIQUE (file, worker)
) STRICT;
INSERT INTO "payment" VALUES(1,1,'60b1c2d3e4f5061728394a5b',100,0,'["label:tiger:17","attention:1"]',NULL,'431d3e59-1-w-153f72ed7d21');
INSERT INTO "payment" VALUES(2,2,'60b1c2d3e4f5061728394a5b',100,0,'["label:tiger:17","attention:1"]',NULL,'431d3e59-2-w-153f72ed7d21');
CREATE TABLE payment_file (
  id INTEGER PRIMARY KEY,
  made_at TEXT NOT NULL CHECK (made_at GLOB '????-??-??T??:??:??.???Z'),
  platform TEXT NOT NULL,
  currency TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT 'made' CHECK (state IN ('made', 'paid', 'void')),
  settled_at TEXT CHECK (settled_at GLOB '????-??-??T??:??:??.???Z'),
  CHECK ((state = 'made') = (settled_at IS NULL))
) STRICT;
INSERT INTO "payment_file" VALUES(1,'2025-03-02T09:00:00.000Z','prolific','USD','void','2025-03-02T09:30:00.000Z');
INSERT INTO "payment_file" VALUES(2,'2025-03-02T10:00:00.000Z','prolific','USD','made',NULL);
CREATE TABLE place (token TEXT NOT NULL PRIMARY KEY, deadline REAL NOT NULL) STRICT;
CREATE TABLE guess (network TEXT NOT NULL, code TEXT NOT NULL, deadline REAL NOT NULL, PRIMARY KEY (network, code)) STRICT, WITHOUT ROWID;
CREATE TABLE study (
  key TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL CHECK (json_valid(value))
) STRICT;
INSERT INTO "study" VALUES('study_id','"431d3e59bcd64bd5bbf4892d7498e5a2"');
INSERT INTO "study" VALUES('created_at','"2025-03-01T12:00:00.000Z"');
INSERT INTO "study" VALUES('created_by','"barlow 0.1.0"');
INSERT INTO "study" VALUES('revision','"11111111111111111111111111111111"');
INSERT INTO "study" VALUES('boot','"boot 1"');
INSERT INTO "study" VALUES('backups','[]');
INSERT INTO "study" VALUES('unfinished_withdrawals','[]');
INSERT INTO "study" VALUES('answers_per_item','2');
INSERT INTO "study" VALUES('questionnaire','{"title": "Describe what the pictures have in common", "questions": [{"id": "short", "kind": "text", "name": "Short description", "text": "What do the highlighted parts of the pictures have in common? Describe it in at most 3 words.", "help": "For example: striped fur, round wheels, green background.", "max_words": 3, "max_length": 100}, {"id": "long", "kind": "text", "name": "Long description", "text": "Describe it again in more detail, in at most 15 words.", "help": "What would somebody need to know who cannot see the pictures?", "max_words": 15}, {"id": "ease", "kind": "scale", "name": "Ease of understanding", "text": "How easy was it to understand what the pictures have in common?", "low_label": "very difficult", "high_label": "very easy"}, {"id": "confidence", "kind": "scale", "name": "Confidence", "text": "How confident are you in your description?", "low_label": "not at all confident", "high_label": "very confident"}, {"id": "useful", "kind": "choice", "name": "Most useful section", "text": "Which section was most useful for your description?", "options": [["B", "Section B (heatmaps)"], ["C", "Section C (changed pictures)"], ["both", "Both sections"], ["none", "Neither of them"]]}]}');
INSERT INTO "study" VALUES('title','"Fixture of schema 4"');
INSERT INTO "study" VALUES('contact','""');
INSERT INTO "study" VALUES('consent','"You are invited to take part in a research study. You will look at sets of pictures and describe in a few words what they have in common. Taking part is voluntary: you can stop at any moment, and you are paid for everything that you have sent. What you write is kept together with the time that it took you, and is published only without your name or any identifier. You can have your answers deleted later on by asking the researchers."');
INSERT INTO "study" VALUES('instructions','["Each task shows one set of pictures in three sections. Section A shows photographs. Section B shows the same photographs, with the important regions bright. Section C shows them again, changed so that what is important stands out.", "Find out what the important regions have in common: a thing, a part of a thing, a pattern, a colour, a background. Describe that, and not everything that you see.", "Sometimes the sections do not agree, or nothing comes to mind. Describe your best guess, and say so with the scales below."]');
INSERT INTO "study" VALUES('examples','[{"shows": "Five photographs of different animals; in each of them the legs are bright in section B.", "good": "legs of animals", "poor": "nice animals", "why": "Name what the bright regions show, not the whole photograph."}]');
INSERT INTO "study" VALUES('pay_per_item','"0.50"');
INSERT INTO "study" VALUES('base_pay','"0"');
INSERT INTO "study" VALUES('bonus','"0"');
INSERT INTO "study" VALUES('bonus_after','10');
INSERT INTO "study" VALUES('currency','"USD"');
INSERT INTO "study" VALUES('minutes_per_item','2.5');
INSERT INTO "study" VALUES('items_per_worker','null');
INSERT INTO "study" VALUES('items_per_visit','null');
INSERT INTO "study" VALUES('max_failed_checks','2');
INSERT INTO "study" VALUES('reservation_minutes','30.0');
INSERT INTO "study" VALUES('idle_seconds','120.0');
INSERT INTO "study" VALUES('checks_every','1');
INSERT INTO "study" VALUES('seed','0');
INSERT INTO "study" VALUES('platforms','["prolific", "link"]');
INSERT INTO "study" VALUES('invite_codes','["anna-1234"]');
INSERT INTO "study" VALUES('open_link','null');
INSERT INTO "study" VALUES('completion_code','"C0DE"');
INSERT INTO "study" VALUES('screened_out_code','""');
INSERT INTO "study" VALUES('declined_code','""');
INSERT INTO "study" VALUES('completion_url','""');
INSERT INTO "study" VALUES('admin_hash','""');
INSERT INTO "study" VALUES('provenance','{}');
INSERT INTO "study" VALUES('signing_key','"76439dfe8f6cf8937f229575730637c8195c3a15ef7bfc5fefd73dfc7224e2e0"');
INSERT INTO "study" VALUES('interview','{"title": "Interview about classifier failures", "contact": "", "consent": "You take part in an interview about a way of finding out where an image classifier fails. It takes about one hour. We keep your role, your years of experience with machine learning, and what you answer and say, under a number instead of your name. The last questions are answered in private: nobody sees your own answers to them, only sums over several people are looked at.\n\nYou may take a break, stop at any time, and have everything that you said deleted. Then nothing of yours is used.", "scenario": "Please imagine that you belong to a team that will put this image classifier into production. Before that, the team wants to know where the classifier is wrong, and to decide what to do about it.\n\nYou will look at two groups of images, one after the other, and at what the classifier''s failures in each have in common. There are no right or wrong answers: please say what you see and think.", "workflow": ["A second, robust network describes every image by numbers, its features. For each group of images, such as all images of one class, a small decision tree looks for features that separate the classifier''s failures from its successes.", "You see each tree with its nodes, the images in them, and what each feature stands for in three rows of pictures: A, the images in which the feature is strongest; B, where in them it looks; C, the same images changed to make it stronger."], "terms": [["Group", "the images that are looked at together: all with one label, or all with one prediction"], ["Feature", "a number that the robust network gives every image; its value is called activation"], ["Node", "the images of a group that fulfil the conditions on the way to it"], ["Error rate", "the share of the images of a node that the classifier gets wrong"], ["Error coverage", "of all failures of the group, the share that lies in the node"]], "roles": [["ml_engineer", "ML Engineer"], ["applied_scientist", "Applied Scientist"], ["researcher", "Researcher"], ["data_scientist", "Data Scientist"], ["other", "Other"]], "experience": [["1-2", "1 - 2 years"], ["2-5", "2 - 5 years"], ["5-10", "5 - 10 years"], ["10+", "> 10 years"]], "requirement": "I have applied machine learning to images or video.", "parts": [{"id": "introduction", "title": "Introduction", "minutes": 10.0}, {"id": "scenario", "title": "Scenario", "minutes": 5.0}, {"id": "first", "title": "First group", "minutes": 20.0}, {"id": "second", "title": "Second group", "minutes": 18.0}, {"id": "survey", "title": "Closing survey", "minutes": 7.0}], "difficulties": [["several_concepts", "The feature shows two or more concepts"], ["sensitivity", "I do not see how the pictures change with the activation"], ["other", "Something else"]], "actions": [["data_collection", "Collect more or other data"], ["augmentation", "Augment the data"], ["architecture", "Change the model architecture"], ["labels", "Correct or refine labels"], ["training", "Change the loss or the training"], ["none", "Nothing"]], "themes": [["feature", "What a feature shows"], ["spurious", "Spurious correlations"], ["necessary", "Necessary features"], ["actions", "What to do"], ["method", "The method itself"], ["other", "Other"]], "statements": [["useful", "This way of analysing errors would be useful in my work."], ["important", "It helped me to discover failures that matter."], ["easy", "It was easy to understand what the features stand for."], ["new", "It showed me things about the classifier that I would not have found by looking at single errors."], ["actions", "It gave me ideas of what to do about the failures."], ["again", "I would use it before a classifier goes into production."]], "seed": 3, "easy_rule": "By hand."}');
CREATE TABLE worker (
  id TEXT NOT NULL PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 200),
  pseudonym TEXT NOT NULL UNIQUE,
  state TEXT NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'blocked', 'withdrawn')),
  simulated INTEGER NOT NULL DEFAULT 0 CHECK (simulated IN (0, 1)),
  joined_at TEXT NOT NULL CHECK (joined_at GLOB '????-??-??T??:??:??.???Z'),
  platform TEXT,
  details TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(details))
) STRICT;
INSERT INTO "worker" VALUES('5f3c0a1b2c3d4e5f60718293','w-54b453b27e4f','active',0,'2025-03-01T12:00:00.000Z','prolific','{"note": "é"}');
INSERT INTO "worker" VALUES('anna-1234','w-6c1b3d61b93f','active',0,'2025-03-01T12:01:45.000Z','link','{"note": "é"}');
INSERT INTO "worker" VALUES('60b1c2d3e4f5061728394a5b','w-153f72ed7d21','blocked',0,'2025-03-01T12:03:30.000Z','prolific','{"note": "é"}');
INSERT INTO "worker" VALUES('leaver','w-d4fc04dfee37','withdrawn',0,'2025-03-01T12:05:15.000Z',NULL,'{}');
CREATE INDEX item_open ON item (filled, tie) WHERE kind = 'item' AND filled < wanted;
CREATE INDEX item_kind ON item (kind, position) WHERE kind <> 'item';
CREATE INDEX assignment_worker ON assignment (worker, state);
CREATE UNIQUE INDEX assignment_held ON assignment (worker) WHERE state = 'reserved';
CREATE INDEX assignment_deadline ON assignment (deadline) WHERE state = 'reserved';
CREATE INDEX assignment_surplus ON assignment (item) WHERE state = 'surplus';
CREATE INDEX answer_worker ON answer (worker);
CREATE INDEX payment_worker ON payment (worker);
CREATE INDEX event_worker ON event (worker, item);
CREATE INDEX interview_quote_participant ON interview_quote (participant);
CREATE TRIGGER assignment_added AFTER INSERT ON assignment WHEN NEW.state IN ('reserved', 'accepted')
BEGIN
  UPDATE item SET filled = filled + 1, tie = tie * 48271 % 2147483647 WHERE id = NEW.item;
END;
CREATE TRIGGER assignment_changed AFTER UPDATE OF state ON assignment WHEN (OLD.state IN ('reserved', 'accepted')) <> (NEW.state IN ('reserved', 'accepted'))
BEGIN
  UPDATE item SET filled = filled + CASE WHEN NEW.state IN ('reserved', 'accepted') THEN 1 ELSE -1 END, tie = tie * 48271 % 2147483647 WHERE id = NEW.item;
END;
CREATE TRIGGER assignment_removed AFTER DELETE ON assignment WHEN OLD.state IN ('reserved', 'accepted')
BEGIN
  UPDATE item SET filled = filled - 1, tie = tie * 48271 % 2147483647 WHERE id = OLD.item;
END;
COMMIT;
